class Main {
    static class Builder {
        private String name;
        Builder name(String name) { this.name = name; return this; }
        Main build() { return new Main(this); }
    }
    Main(Builder builder) { }
    static Builder builder() { return new Builder(); }

    public static void main(String[] args) {
        Main.builder().name("a").name("b").build();
    }
}
