import java.util.Map;

class Frame {
    static class Writer {
        Writer fin() { return this; }
        void end() { }
    }
    interface Maker<T> {
        T make();
    }
}

class Main {
    private final Frame.Writer writer = new Frame.Writer();
    static Frame.Writer open(Frame.Maker<Frame.Writer> maker) { return maker.make(); }
    Frame.Writer own() { return writer; }

    public static void main(String[] args) {
        Main main = new Main();
        main.writer.fin();
        main.own().fin();
        open(() -> new Frame.Writer()).end();
        Map.Entry<String, Frame.Writer> entry = Map.entry("a", new Frame.Writer());
        entry.getValue().end();
    }
}
