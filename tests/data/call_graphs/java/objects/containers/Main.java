import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

interface Shape { int area(); }
class Circle implements Shape { public int area() { return 3; } }
class Square implements Shape { public int area() { return 4; } }

class Triangle implements Shape { public int area() { return 2; } }
class Own<K, V> extends AbstractMap<K, V> {
    public V get(Object key) { return null; }
    public Set<Map.Entry<K, V>> entrySet() { return Collections.emptySet(); }
}

/** A map that the library makes runs the library's code; out of its containers comes what is put into one. */
class Main {
    private final Map<String, String> plain = new HashMap<>();
    private final Map<String, String> own = new Own<>();
    private final Shape alone = new Triangle();

    void maps() {
        plain.get("a");
    }

    void own() {
        own.get("a");
    }

    void elements() {
        List<Shape> shapes = new ArrayList<>();
        shapes.add(new Circle());
        shapes.add(new Square());
        shapes.get(0).area();
        for (Shape each : shapes) {
            each.area();
        }
    }

    void alone() {
        alone.area();
    }
}
