package app.model;

public class User {
    private final String name;
    public User(String name) { this.name = Names.clean(name); }
    public String name() { return name; }
}

class Names {
    static String clean(String s) { return s.trim(); }
}
