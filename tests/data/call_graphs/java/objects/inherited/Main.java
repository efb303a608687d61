abstract class Base {
    final void open() { load(); }
    void close() { release(); }
    abstract void load();
    abstract void release();
}
class First extends Base {
    void load() { }
    void release() { }
}
class Second extends Base {
    void close() { }
    void load() { }
    void release() { }
}
class Third extends Base {
    void load() { }
    void release() { }
}

/** `this` is, in a method, an object that the method is called on: none whose class overrides it, and none that nobody calls it on. */
class Main {
    void go() {
        Base first = new First();
        first.open();
        first.close();
        new Second().close();
        Base third = new Third();
        third.close();
    }
}
