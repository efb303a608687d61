package app;

class ServiceTest {
    Service service;

    void test() {
        service.serve();
    }
}
