class Worker {
    void start() { work(); }
    void work() { }
}

class Fast extends Worker {
    void start() { super.start(); }
    void work() { }
}

class Main {
    public static void main(String[] args) {
        new Fast().start();
        new Worker().start();
    }
}
