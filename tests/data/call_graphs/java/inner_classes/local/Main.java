class Main {
    interface Step { void go(); }

    static void run(int n) {
        class First implements Step {
            public void go() { done(n); }
        }
        Step step = new First();
        step.go();
    }
    static void done(int n) { }

    public static void main(String[] args) {
        run(1);
    }
}
