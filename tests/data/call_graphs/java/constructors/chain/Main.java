class Base {
    Base() { this("x"); }
    Base(String s) { init(); }
    void init() { }
}

class Derived extends Base {
    Derived(int n) { super("n" + n); }
    Derived() { }
}

class Leaf extends Derived { }

class Main {
    public static void main(String[] args) {
        new Derived(1);
        new Leaf();
    }
}
