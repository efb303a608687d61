interface Shape {
    double area();
}

class Circle implements Shape {
    public double area() { return 3; }
}

class Square implements Shape {
    public double area() { return 4; }
}

class Main {
    static double total(Shape[] shapes) {
        double sum = 0;
        for (Shape shape : shapes) {
            sum += shape.area();
        }
        return sum;
    }

    public static void main(String[] args) {
        total(new Shape[] {new Circle(), new Square()});
    }
}
