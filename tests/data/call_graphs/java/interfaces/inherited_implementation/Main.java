interface Closer {
    void shut();
}

class Device {
    public void shut() { }
}

class Printer extends Device implements Closer { }

class Main {
    static void stop(Closer closer) { closer.shut(); }

    public static void main(String[] args) {
        stop(new Printer());
    }
}
