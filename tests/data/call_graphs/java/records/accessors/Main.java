record Point(int x, int y) {
    Point {
        check(x);
    }
    Point(int x) { this(x, 0); }
    static void check(int x) { }
    double length() { return Math.sqrt(x() * x() + y * y); }
    @Override
    public int y() { return y; }
}

class Main {
    public static void main(String[] args) {
        Point p = new Point(1);
        p.length();
        p.y();
        p.x();
    }
}
