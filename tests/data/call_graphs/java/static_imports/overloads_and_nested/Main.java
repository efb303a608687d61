import static shop.Prices.of;
import static shop.Prices.Tax.add;

class Main {
    public static void main(String[] args) {
        of(1);
        of("1");
        add(2);
    }
}
