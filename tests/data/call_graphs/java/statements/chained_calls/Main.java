class Query {
    private Query next;
    Query where(String s) { return new Query(); }
    Query order() { return this; }
    Result run() { return new Result(); }
}

class Result {
    Row first() { return rows()[0]; }
    Row[] rows() { return new Row[] {new Row()}; }
}

class Row {
    String text;
    void print() { }
}

class Main {
    public static void main(String[] args) {
        new Query().where("a").order().run().first().print();
        new Query().run().rows()[0].print();
    }
}
