import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

class Bag implements Iterable<String> {
    private final List<String> items = new ArrayList<>();
    void add(String item) { items.add(item); }
    public Iterator<String> iterator() {
        return new Iterator<String>() {
            int at = 0;
            public boolean hasNext() { return at < size(); }
            public String next() { return items.get(at++); }
        };
    }
    int size() { return items.size(); }
}

class Main {
    static void print(String s) { }

    public static void main(String[] args) {
        Bag bag = new Bag();
        bag.add("a");
        for (String s : bag) {
            print(s);
        }
    }
}
