class Main {
    static void all(Runnable... tasks) {
        for (int i = 0; i < tasks.length; i++) {
            tasks[i].run();
        }
    }
    static void a() { }
    static void b() { }

    public static void main(String[] args) {
        all(() -> a(), Main::b);
    }
}
