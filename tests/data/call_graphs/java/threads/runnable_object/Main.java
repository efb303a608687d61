class Worker implements Runnable {
    public void run() { work(); }
    void work() { }
}

class Timer extends Thread {
    @Override
    public void run() { tick(); }
    void tick() { }
}

class Main {
    public static void main(String[] args) throws Exception {
        Thread thread = new Thread(new Worker());
        thread.start();
        thread.join();
        Timer timer = new Timer();
        timer.start();
        timer.join();
    }
}
