package second;

public class Tool {
    public void use(int... times) { }
}
