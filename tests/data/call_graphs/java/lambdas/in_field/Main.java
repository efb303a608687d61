interface Listener {
    void changed(String what);
}

class Model {
    private Listener listener;
    void listen(Listener listener) { this.listener = listener; }
    void set(String value) { listener.changed(value); }
}

class Main {
    static void print(String s) { }

    public static void main(String[] args) {
        Model model = new Model();
        model.listen(what -> print(what));
        model.set("x");
    }
}
