import java.util.function.Function;

class Main {
    static int twice(Function<Integer, Integer> f, int x) { return f.apply(f.apply(x)); }
    static int inc(int x) { return x + 1; }

    public static void main(String[] args) {
        twice(x -> inc(x), 1);
    }
}
