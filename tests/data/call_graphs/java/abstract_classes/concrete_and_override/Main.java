class Account {
    void close() { log(); }
    void log() { }
}

class Savings extends Account {
    void log() { }
}

class Main {
    static void end(Account account) { account.close(); }

    public static void main(String[] args) {
        end(new Account());
        end(new Savings());
    }
}
