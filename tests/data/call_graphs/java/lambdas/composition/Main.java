import java.util.function.Function;
import java.util.function.Predicate;

class Main {
    static int inc(int x) { return x + 1; }
    static int dec(int x) { return x - 1; }
    static boolean even(int x) { return x % 2 == 0; }
    static boolean small(int x) { return x < 5; }

    public static void main(String[] args) {
        Function<Integer, Integer> both = ((Function<Integer, Integer>) Main::inc).andThen(x -> dec(x));
        both.apply(1);
        Predicate<Integer> first = Main::even;
        first.and(Main::small).test(2);
    }
}
