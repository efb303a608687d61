package one;

public class Thing {
    public void go(int... steps) { }
}
