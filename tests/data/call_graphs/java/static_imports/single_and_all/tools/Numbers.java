package tools;

public class Numbers {
    public static final int LIMIT = 3;
    public static int twice(int x) { return x * 2; }
    public static int half(int x) { return x / 2; }
}
