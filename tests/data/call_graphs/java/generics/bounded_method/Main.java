interface Scored {
    int score();
}

class Player implements Scored {
    public int score() { return 1; }
    void win() { }
}

class Main {
    static <T extends Scored> T best(T a, T b) { return a.score() > b.score() ? a : b; }

    public static void main(String[] args) {
        best(new Player(), new Player()).win();
    }
}
