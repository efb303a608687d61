import java.util.function.Function;

class Main {
    static int add(int a, int b) { return a + b; }

    public static void main(String[] args) {
        Function<Integer, Function<Integer, Integer>> adder = a -> b -> add(a, b);
        adder.apply(1).apply(2);
    }
}
