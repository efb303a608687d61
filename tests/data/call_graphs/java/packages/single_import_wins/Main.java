import one.*;
import two.Thing;

class Main {
    public static void main(String[] args) {
        new Thing().go();
        new Other().go();
    }
}
