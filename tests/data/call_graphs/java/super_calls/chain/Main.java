class A {
    void act() { }
}

class B extends A { }

class C extends B {
    void act() { super.act(); }
}

class D extends C {
    void act() { super.act(); }
}

class Main {
    static void go(A a) { a.act(); }

    public static void main(String[] args) {
        go(new D());
        go(new A());
        go(new C());
    }
}
