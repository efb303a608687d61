interface Shape { int area(); }
class Circle implements Shape { public int area() { return 3; } }
class Square implements Shape { public int area() { return 4; } }

/** A field holds what the project puts into it. */
class Main {
    private final Shape shape = new Circle();
    Shape other;

    void go() {
        shape.area();
    }

    void assigned() {
        other = new Square();
        other.area();
    }
}
