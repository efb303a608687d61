enum Op {
    ADD {
        int apply(int a, int b) { return a + b; }
    },
    MUL {
        int apply(int a, int b) { return a * b; }
    };
    abstract int apply(int a, int b);
}

class Main {
    public static void main(String[] args) {
        for (Op op : Op.values()) {
            op.apply(1, 2);
        }
    }
}
