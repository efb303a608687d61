interface Task {
    void run();
}

class Main {
    static void start(Task task) { task.run(); }
    static void first() { }
    static void second() { }

    public static void main(String[] args) {
        start(new Task() {
            public void run() { first(); }
        });
        Task other = new Task() {
            public void run() { second(); helper(); }
            void helper() { }
        };
        other.run();
        start(other);
    }
}
