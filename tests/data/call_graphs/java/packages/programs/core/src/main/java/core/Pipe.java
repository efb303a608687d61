package core;

/** Channels of all programs come here. */
public class Pipe {
    private Channel channel;

    public void add(Channel channel) { this.channel = channel; }
    public Channel channel() { return channel; }
    public void flush() { channel.send(); }
}
