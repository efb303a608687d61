import java.util.List;
import java.util.stream.Collectors;

class Item {
    final String name;
    Item(String name) { this.name = name; }
    String name() { return name; }
    boolean cheap() { return true; }
    Item half() { return new Item(name); }
}

class Main {
    static List<String> names(List<Item> items) {
        return items.stream()
            .filter(item -> item.cheap())
            .map(Item::half)
            .map(item -> item.name())
            .collect(Collectors.toList());
    }

    public static void main(String[] args) {
        names(List.of(new Item("a"), new Item("b")));
    }
}
