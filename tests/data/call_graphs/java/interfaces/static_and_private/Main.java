interface Parser {
    static Parser plain() { return new PlainParser(); }
    default int parse(String s) { return clean(s).length(); }
    private String clean(String s) { return s.trim(); }
}

class PlainParser implements Parser { }

class Main {
    public static void main(String[] args) {
        Parser.plain().parse(" a ");
    }
}
