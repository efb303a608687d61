abstract class Node {
    abstract int eval();
}

abstract class Binary extends Node {
    Node left, right;
    Binary(Node left, Node right) { this.left = left; this.right = right; }
    int eval() { return apply(left.eval(), right.eval()); }
    abstract int apply(int a, int b);
}

class Add extends Binary {
    Add(Node a, Node b) { super(a, b); }
    int apply(int a, int b) { return a + b; }
}

class Num extends Node {
    final int value;
    Num(int value) { this.value = value; }
    int eval() { return value; }
}

class Main {
    public static void main(String[] args) {
        Node node = new Add(new Add(new Num(1), new Num(2)), new Num(3));
        node.eval();
    }
}
