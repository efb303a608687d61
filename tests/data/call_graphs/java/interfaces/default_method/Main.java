interface Greeter {
    String name();
    default String greet() { return "hi " + name(); }
}

class Plain implements Greeter {
    public String name() { return "plain"; }
}

class Loud implements Greeter {
    public String name() { return "loud"; }
    public String greet() { return Greeter.super.greet() + "!"; }
}

class Main {
    static void say(Greeter greeter) { greeter.greet(); }

    public static void main(String[] args) {
        say(new Plain());
        say(new Loud());
        new Plain().greet();
    }
}
