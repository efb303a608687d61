class Base {
    void run() { }
}

class Derived extends Base {
    void run() { }
    void go() {
        call(this::run);
        call(super::run);
    }
    static void call(Runnable r) { r.run(); }
}

class Main {
    public static void main(String[] args) {
        new Derived().go();
    }
}
