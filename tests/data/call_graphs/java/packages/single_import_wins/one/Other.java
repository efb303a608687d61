package one;

public class Other {
    public void go() { }
}
