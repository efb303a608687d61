class Outer {
    void work() { }
    class Inner {
        void work() { }
        void both() {
            work();
            Outer.this.work();
        }
    }
}

class Main {
    public static void main(String[] args) {
        new Outer().new Inner().both();
    }
}
