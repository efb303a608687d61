package remote;

import core.Channel;

public class Remote implements Channel {
    public void send() { }
}
