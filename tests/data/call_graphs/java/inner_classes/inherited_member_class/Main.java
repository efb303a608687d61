class Base {
    static class Part {
        void use() { }
    }
}

class Derived extends Base {
    void go() {
        Part part = new Part();
        part.use();
    }
}

class Main {
    public static void main(String[] args) {
        new Derived().go();
        new Derived.Part().use();
    }
}
