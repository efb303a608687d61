import java.util.Optional;

class Street {
    String label() { return "s"; }
}

class Address {
    Street street() { return new Street(); }
    Optional<Street> maybe() { return Optional.of(street()); }
}

class Person {
    Optional<Address> address() { return Optional.of(new Address()); }
}

class Main {
    static String unknown() { return "?"; }

    public static void main(String[] args) {
        new Person().address().map(Address::street).map(s -> s.label()).orElseGet(() -> unknown());
        new Person().address().flatMap(a -> a.maybe()).get().label();
    }
}
