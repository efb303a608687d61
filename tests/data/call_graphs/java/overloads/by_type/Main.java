class Main {
    static void show(int value) { }
    static void show(long value) { }
    static void show(double value) { }
    static void show(String value) { }
    static void show(Object value) { }

    static void whole() { show(1); }
    static void big() { show(1L); }
    static void small() { byte b = 3; show(b); }
    static void real() { show(1.5f); }
    static void text() { show("a" + 1); }
    static void any() { show(new int[0]); }
    static void character() { show('c'); }

    public static void main(String[] args) {
        whole();
        big();
        small();
        real();
        text();
        any();
        character();
    }
}
