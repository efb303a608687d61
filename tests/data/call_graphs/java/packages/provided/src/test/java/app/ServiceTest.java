package app;

import java.util.ServiceLoader;

class ServiceTest {
    void test() {
        Service service = ServiceLoader.load(Service.class).iterator().next();
        service.serve();
    }
}
