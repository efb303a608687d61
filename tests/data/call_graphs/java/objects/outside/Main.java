import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import org.example.Provider;

interface Shape { int area(); }
class Circle implements Shape { public int area() { return 3; } }
class Square implements Shape { public int area() { return 4; } }

/** What comes through code that is not here may be any object of its type, but of no class without a name. */
class Main {
    static final AtomicReferenceFieldUpdater<Main, Shape> UPDATER =
        AtomicReferenceFieldUpdater.newUpdater(Main.class, Shape.class, "state");
    private volatile Shape state = new Circle();

    void set() {
        UPDATER.set(this, new Square());
    }

    void volatileField() {
        state.area();
    }

    void provided() {
        Shape given = Provider.get();
        given.area();
    }

    void local() {
        Shape nameless = new Shape() { public int area() { return 1; } };
        nameless.area();
    }
}
