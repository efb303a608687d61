sealed interface Shape permits Circle, Rectangle { }

record Circle(double r) implements Shape {
    double area() { return r; }
}

record Rectangle(double w, double h) implements Shape {
    double area() { return w * h; }
}

class Main {
    static double area(Shape shape) {
        if (shape instanceof Circle circle) {
            return circle.area();
        }
        if (!(shape instanceof Rectangle rectangle)) {
            return 0;
        }
        return rectangle.area();
    }

    public static void main(String[] args) {
        area(new Circle(1));
        area(new Rectangle(1, 2));
    }
}
