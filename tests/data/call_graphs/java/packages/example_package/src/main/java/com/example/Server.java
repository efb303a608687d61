package com.example;

class Server {
    Service service;

    void go() {
        service.serve();
    }
}
