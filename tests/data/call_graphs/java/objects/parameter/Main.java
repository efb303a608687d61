interface Shape { int area(); }
class Circle implements Shape { public int area() { return 3; } }
class Square implements Shape { public int area() { return 4; } }

/** A parameter holds what the callers give; of a method that nobody calls, anything of its type. */
class Main {
    private int measure(Shape shape) { return shape.area(); }
    public int anyone(Shape shape) { return shape.area(); }

    void go() {
        measure(new Circle());
    }
}
