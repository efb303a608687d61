class Point {
    final int x;
    private Point(int x) { this.x = x; }
    Point(Point other) { this(other.x); }
    static Point of(int x) { return new Point(x); }
    Point copy() { return new Point(this); }
}

class Main {
    public static void main(String[] args) {
        Point.of(1).copy();
    }
}
