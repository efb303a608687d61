package two;

public class Thing {
    public void go() { }
}
