package tools;

public class Text {
    public static String shout(String s) { return mark(s); }
    static String mark(String s) { return s + "!"; }
}
