import java.util.function.IntUnaryOperator;

enum Mode {
    DOUBLE(x -> Mode.twice(x)),
    NEGATE(Mode::negative);
    private final IntUnaryOperator f;
    Mode(IntUnaryOperator f) { this.f = f; }
    int run(int x) { return f.applyAsInt(x); }
    static int twice(int x) { return x * 2; }
    static int negative(int x) { return -x; }
}

class Main {
    public static void main(String[] args) {
        Mode.DOUBLE.run(1);
        Mode.NEGATE.run(1);
    }
}
