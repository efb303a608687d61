class Button {
    private Runnable action;
    void onClick(Runnable action) { this.action = action; }
    void click() { action.run(); }
}

class Dialog {
    private final Button button = new Button();
    Dialog() { button.onClick(() -> close()); }
    void close() { cleanup(); }
    private void cleanup() { }
    void press() { button.click(); }
}

class Main {
    public static void main(String[] args) {
        new Dialog().press();
    }
}
