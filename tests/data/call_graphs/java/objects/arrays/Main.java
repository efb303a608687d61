interface Shape { int area(); }
class Circle implements Shape { public int area() { return 3; } }
class Square implements Shape { public int area() { return 4; } }

/** An array holds what is written into it, under any of its names. */
class Main {
    private final Shape[] shapes = new Shape[2];
    private final Shape[] written = {new Square()};

    void fill() {
        Shape[] same = shapes;
        same[0] = new Circle();
    }

    void go() {
        shapes[0].area();
    }

    void loop() {
        for (Shape each : written) {
            each.area();
        }
    }
}
