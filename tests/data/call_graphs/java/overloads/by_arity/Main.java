class Main {
    static void log() { log("none"); }
    static void log(String text) { log(text, 1); }
    static void log(String text, int level) { }
    public static void main(String[] args) {
        log();
        log("a", 2);
    }
}
