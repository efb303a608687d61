import static tools.Text.shout;
import static tools.Numbers.*;

class Main {
    static int half(int x) { return x / 2; }

    public static void main(String[] args) {
        shout("a");
        twice(LIMIT);
        half(3);
    }
}
