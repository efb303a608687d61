import java.util.concurrent.Callable;

class Main {
    static void submit(Runnable task) { task.run(); }
    static <T> T submit(Callable<T> task) throws Exception { return task.call(); }
    static int value() { return 1; }
    static void effect() { }

    public static void main(String[] args) throws Exception {
        submit(() -> effect());
        submit(() -> value());
        submit(() -> { return value(); });
        submit(() -> { effect(); });
    }
}
