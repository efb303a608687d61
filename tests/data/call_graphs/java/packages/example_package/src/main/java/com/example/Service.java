package com.example;

public interface Service {
    void serve();
}
