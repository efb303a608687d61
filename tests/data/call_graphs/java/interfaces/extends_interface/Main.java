interface Source {
    String read();
}

interface Buffered extends Source {
    void fill();
}

class FileSource implements Buffered {
    public String read() { fill(); return ""; }
    public void fill() { }
}

class NullSource implements Source {
    public String read() { return null; }
}

class Main {
    static void buffered(Buffered source) { source.read(); }
    static void any(Source source) { source.read(); }

    public static void main(String[] args) {
        buffered(new FileSource());
        any(new NullSource());
        any(new FileSource());
    }
}
