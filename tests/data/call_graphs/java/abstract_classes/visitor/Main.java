interface Visitor<R> {
    R visitNumber(Number number);
    R visitSum(Sum sum);
}

abstract class Expression {
    abstract <R> R accept(Visitor<R> visitor);
}

class Number extends Expression {
    final int value;
    Number(int value) { this.value = value; }
    <R> R accept(Visitor<R> visitor) { return visitor.visitNumber(this); }
}

class Sum extends Expression {
    final Expression left;
    final Expression right;
    Sum(Expression left, Expression right) { this.left = left; this.right = right; }
    <R> R accept(Visitor<R> visitor) { return visitor.visitSum(this); }
}

class Evaluator implements Visitor<Integer> {
    public Integer visitNumber(Number number) { return number.value; }
    public Integer visitSum(Sum sum) { return sum.left.accept(this) + sum.right.accept(this); }
}

class Main {
    public static void main(String[] args) {
        Expression e = new Sum(new Sum(new Number(1), new Number(2)), new Number(3));
        int n = e.accept(new Evaluator());
    }
}
