abstract class Window {
    Window(String title) { open(); }
    void open() { }
    abstract void paint();
}

class Main {
    static void brush() { }

    public static void main(String[] args) {
        Window window = new Window("main") {
            void paint() { brush(); }
        };
        window.paint();
    }
}
