package core;

public interface Channel {
    void send();
}
