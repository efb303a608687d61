interface Shape { int area(); }
class Circle implements Shape { public int area() { return 3; } }
class Square implements Shape { public int area() { return 4; } }

/** A method reference runs the method of the object that it is bound to. */
class Main {
    private Shape shape = new Circle();

    void go() {
        apply(shape::area);
    }

    void made() {
        make(Square::new).area();
    }

    static Shape make(java.util.function.Supplier<Shape> maker) {
        return maker.get();
    }

    static void apply(java.util.function.IntSupplier supplier) {
        supplier.getAsInt();
    }
}
