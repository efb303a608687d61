class Main {
    static void put(String text) { }
    static void put(Object any) { }

    static void nothing() { put(null); }
    static void chosen(boolean b) { put(b ? "x" : "y"); }
    static void mixed(boolean b) { put(b ? "x" : (Object) 1); }
    static void cast(Object o) { put((String) o); }

    public static void main(String[] args) {
        nothing();
        chosen(true);
        mixed(true);
        cast("a");
    }
}
