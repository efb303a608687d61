class Main {
    static void take(Integer value) { }
    static void take(long value) { }
    static void keep(Object value) { }
    static void keep(String value) { }
    static void give(int value) { }

    static void widens() { take(1); }
    static void stays() { take(Integer.valueOf(1)); }
    static void boxes() { keep(7); }
    static void unboxes(Integer value) { give(value); }

    public static void main(String[] args) {
        widens();
        stays();
        boxes();
        unboxes(3);
    }
}
