interface Level {
    int rank();
}

enum Color implements Level {
    RED, BLUE;
    public int rank() { return ordinal(); }
}

enum Size implements Level {
    SMALL {
        public int rank() { return 1; }
    },
    LARGE;
    public int rank() { return 0; }
}

class Main {
    static int rank(Level level) { return level.rank(); }

    public static void main(String[] args) {
        rank(Color.RED);
        rank(Size.SMALL);
        rank(Size.LARGE);
    }
}
