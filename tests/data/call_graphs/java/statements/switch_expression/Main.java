class Main {
    static String one() { return "1"; }
    static String many() { return "n"; }
    static void print(String s) { }
    static void print(int i) { }

    static void show(int n) {
        String text = switch (n) {
            case 1 -> one();
            default -> {
                yield many();
            }
        };
        print(text);
        print(switch (n) { case 0 -> 1; default -> 2; });
    }

    public static void main(String[] args) {
        show(1);
        show(2);
    }
}
