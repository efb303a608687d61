class Box<T> {
    private T content;
    void put(T content) { this.content = content; }
    T get() { return content; }
}

class Apple {
    void bite() { }
}

class Pear {
    void bite() { }
}

class Main {
    public static void main(String[] args) {
        Box<Apple> box = new Box<>();
        box.put(new Apple());
        box.get().bite();
        var pears = new Box<Pear>();
        pears.put(new Pear());
        pears.get().bite();
    }
}
