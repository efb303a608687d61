import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;

class Point {
    final int x;
    Point(int x) { this.x = x; }
    int getX() { return x; }
    int plus(int other) { return x + other; }
    static Point origin() { return new Point(0); }
}

class Main {
    public static void main(String[] args) {
        Supplier<Point> statics = Point::origin;
        Function<Integer, Point> constructor = Point::new;
        Function<Point, Integer> unbound = Point::getX;
        Point p = new Point(2);
        Function<Integer, Integer> bound = p::plus;
        BiFunction<Point, Integer, Integer> two = Point::plus;
        statics.get();
        constructor.apply(1);
        unbound.apply(p);
        bound.apply(3);
        two.apply(p, 4);
    }
}
