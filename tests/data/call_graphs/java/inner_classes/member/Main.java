class Main {
    private int count;
    class Counter {
        void tick() { count++; changed(); }
    }
    void changed() { }
    Counter counter() { return new Counter(); }

    public static void main(String[] args) {
        Main main = new Main();
        main.counter().tick();
        Main.Counter other = main.new Counter();
        other.tick();
    }
}
