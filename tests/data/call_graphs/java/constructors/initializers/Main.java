class Part {
    Part(int n) { }
}

class Machine {
    private final Part first = new Part(1);
    private static final Part SHARED = make();
    static { setup(); }
    { check(); }
    Machine() { }
    static Part make() { return new Part(2); }
    static void setup() { }
    void check() { }
}

class Main {
    public static void main(String[] args) {
        new Machine();
    }
}
