package app;

public interface Service {
    void serve();
}
