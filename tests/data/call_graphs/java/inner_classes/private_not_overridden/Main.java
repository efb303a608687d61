class Base {
    private void step() { }
    void go() { step(); }
    static void make() { }
}

class Derived extends Base {
    void step() { }
    static void make() { }
}

class Main {
    public static void main(String[] args) {
        new Derived().go();
        Derived.make();
        Base.make();
    }
}
