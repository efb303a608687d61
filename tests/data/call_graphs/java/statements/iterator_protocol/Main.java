import java.util.Iterator;

class Range implements Iterable<Integer> {
    final int end;
    Range(int end) { this.end = end; }
    @Override
    public Iterator<Integer> iterator() { return new Steps(end); }
}

class Steps implements Iterator<Integer> {
    private int at;
    private final int end;
    Steps(int end) { this.end = end; }
    public boolean hasNext() { return at < end; }
    public Integer next() { return at++; }
}

class Main {
    static void use(int x) { }

    public static void main(String[] args) {
        for (int x : new Range(2)) {
            use(x);
        }
        Iterator<Integer> it = new Range(1).iterator();
        while (it.hasNext()) {
            use(it.next());
        }
    }
}
