import java.util.ArrayList;
import java.util.List;

class Main {
    static final List<Runnable> JOBS = new ArrayList<>();
    static void one() { }
    static void two() { }
    static void runAll() {
        for (Runnable job : JOBS) {
            job.run();
        }
    }

    public static void main(String[] args) {
        JOBS.add(() -> one());
        JOBS.add(Main::two);
        runAll();
    }
}
