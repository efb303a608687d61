class Main {
    static int sum(int... values) { return values.length; }
    static int sum(int a, int b) { return a + b; }
    static void join(String first, Object... rest) { }

    static void none() { sum(); }
    static void two() { sum(1, 2); }
    static void three() { sum(1, 2, 3); }
    static void array() { sum(new int[] {1}); }
    static void strings() { join("a"); join("a", 1, "b"); }

    public static void main(String[] args) {
        none();
        two();
        three();
        array();
        strings();
    }
}
