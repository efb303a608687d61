import java.util.HashMap;
import java.util.Map;
import java.util.function.IntBinaryOperator;

class Calculator {
    private final Map<String, IntBinaryOperator> operators = new HashMap<>();
    Calculator() {
        operators.put("+", (a, b) -> add(a, b));
        operators.put("-", Calculator::subtract);
    }
    static int add(int a, int b) { return a + b; }
    static int subtract(int a, int b) { return a - b; }
    int run(String operator, int a, int b) { return operators.get(operator).applyAsInt(a, b); }
}

class Main {
    public static void main(String[] args) {
        new Calculator().run("+", 1, 2);
        new Calculator().run("-", 1, 2);
    }
}
