abstract class Report {
    final void print() {
        header();
        body();
    }
    void header() { }
    abstract void body();
}

class Sales extends Report {
    void body() { }
}

class Costs extends Report {
    void header() { super.header(); }
    void body() { }
}

class Main {
    public static void main(String[] args) {
        new Sales().print();
        new Costs().print();
    }
}
