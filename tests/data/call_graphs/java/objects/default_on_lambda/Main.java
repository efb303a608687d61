interface Step {
    void run();
    default Step twice() { return this; }
}

class Fixed implements Step {
    public void run() { }
    public Step twice() { return this; }
}

class Other implements Step {
    public void run() { }
    public Step twice() { return this; }
}

class Main {
    static void one() { }

    /** What a lambda has of its interface. */
    static void start(Step step) {
        step.twice();
    }

    static void go() {
        start(() -> one());
    }

    static void classes() {
        new Fixed().twice();
        new Other().twice();
    }
}
