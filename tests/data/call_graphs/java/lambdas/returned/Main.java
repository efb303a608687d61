import java.util.function.Supplier;

class Main {
    static Supplier<String> greeting(String name) { return () -> text(name); }
    static String text(String name) { return "hello " + name; }

    public static void main(String[] args) {
        Supplier<String> s = greeting("a");
        s.get();
        greeting("b").get();
    }
}
