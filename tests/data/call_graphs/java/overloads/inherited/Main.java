class Base {
    void visit(Number n) { }
    void visit(String s) { }
}

class Derived extends Base {
    void visit(Integer i) { }
}

class Main {
    static void number(Derived d) { d.visit(1.5); }
    static void integer(Derived d) { d.visit(Integer.valueOf(1)); }
    static void text(Derived d) { d.visit("s"); }
    static void below(Base b) { b.visit(Integer.valueOf(1)); }

    public static void main(String[] args) {
        Derived d = new Derived();
        number(d);
        integer(d);
        text(d);
        below(d);
    }
}
