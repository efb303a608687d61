import java.util.ArrayList;
import java.util.List;

class Main {
    static int weight(String s) { return s.length(); }
    static void print(String s) { }

    public static void main(String[] args) {
        List<String> words = new ArrayList<>(List.of("b", "a"));
        words.sort((a, b) -> weight(a) - weight(b));
        words.forEach(word -> print(word));
        words.removeIf(String::isEmpty);
    }
}
