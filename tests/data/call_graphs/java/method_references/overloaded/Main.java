import java.util.function.IntConsumer;
import java.util.function.Consumer;

class Main {
    static void accept(int value) { }
    static void accept(String value) { }
    static void numbers(IntConsumer consumer) { consumer.accept(1); }
    static void texts(Consumer<String> consumer) { consumer.accept("a"); }

    public static void main(String[] args) {
        numbers(Main::accept);
        texts(Main::accept);
    }
}
