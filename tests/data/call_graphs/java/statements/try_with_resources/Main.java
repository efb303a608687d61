class Connection implements AutoCloseable {
    Connection open() { return this; }
    @Override
    public void close() { }
}

class Main {
    static Connection connect() { return new Connection(); }

    public static void main(String[] args) {
        try (Connection a = connect(); var b = new Connection().open()) {
            a.open();
        } finally {
            end();
        }
    }
    static void end() { }
}
