package app.util;

public class Log {
    public static void write(String line) { }
}
