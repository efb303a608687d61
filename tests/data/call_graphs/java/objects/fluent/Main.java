abstract class Builder {
    Builder name(String name) { return this; }
    Builder checked(Builder other) { return Check.present(other); }
    abstract void build();
}
class Fast extends Builder { void build() { } }
class Slow extends Builder {
    Builder name(String name) { return super.name(name); }
    void build() { }
}
class Check {
    static <T> T present(T value) { return check(value); }
    static <T> T check(T value) {
        if (value == null) throw new NullPointerException();
        return value;
    }
}

/** What a method hands back of its object or its arguments is told from call to call. */
class Main {
    void go() {
        Builder fast = new Fast();
        fast.name("a").build();
    }

    void present() {
        Builder slow = new Slow();
        Check.present(slow).name("b").name("c").build();
    }

    void checked() {
        new Fast().checked(new Slow()).build();
    }
}
