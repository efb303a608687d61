package core;

public class Local implements Channel {
    public void send() { }
}
