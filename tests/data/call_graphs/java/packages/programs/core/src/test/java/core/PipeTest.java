package core;

/** Knows no remote channel. */
class PipeTest {
    void test() {
        Pipe pipe = new Pipe();
        pipe.add(new Local());
        pipe.channel().send();
    }
}
