package first;

public class Tool {
    public void use() { }
}
