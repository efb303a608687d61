interface Shape { int area(); }
class Circle implements Shape { public int area() { return 3; } }
class Square implements Shape { public int area() { return 4; } }

/** A method returns what its code makes, whatever type it declares. */
class Main {
    static Shape round() { return new Circle(); }
    static Shape angular() {
        Shape made = new Square();
        return made;
    }

    void go() {
        round().area();
    }

    void local() {
        Shape second = angular();
        second.area();
    }
}
