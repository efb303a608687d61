enum Planet {
    EARTH(1.0), MARS(weight());
    private final double mass;
    Planet(double mass) { this.mass = mass; }
    static double weight() { return 0.1; }
    double gravity() { return mass * factor(); }
    private double factor() { return 9.8; }
}

class Main {
    static void visit(Planet planet) {
        switch (planet) {
            case EARTH:
                planet.gravity();
                break;
            default:
                Planet.valueOf("MARS").gravity();
        }
    }

    public static void main(String[] args) {
        visit(Planet.EARTH);
        visit(Planet.MARS);
    }
}
