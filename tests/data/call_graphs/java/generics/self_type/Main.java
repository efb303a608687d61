abstract class Builder<B extends Builder<B>> {
    abstract B self();
    B name(String name) { return self(); }
}

class CarBuilder extends Builder<CarBuilder> {
    CarBuilder self() { return this; }
    CarBuilder wheels(int n) { return self(); }
}

class Main {
    public static void main(String[] args) {
        new CarBuilder().name("a").wheels(4);
    }
}
