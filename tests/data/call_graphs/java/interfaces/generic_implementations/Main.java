interface Handler<T> {
    void handle(T event);
}

class TextHandler implements Handler<String> {
    public void handle(String event) { }
}

class NumberHandler implements Handler<Integer> {
    public void handle(Integer event) { }
}

class Main {
    static void text(Handler<String> handler) { handler.handle("a"); }
    static void number(Handler<Integer> handler) { handler.handle(1); }

    public static void main(String[] args) {
        text(new TextHandler());
        number(new NumberHandler());
    }
}
