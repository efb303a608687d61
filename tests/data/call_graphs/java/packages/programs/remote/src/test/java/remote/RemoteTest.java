package remote;

import core.Pipe;

class RemoteTest {
    void test() {
        Pipe pipe = new Pipe();
        pipe.add(new Remote());
        pipe.channel().send();
    }
}
