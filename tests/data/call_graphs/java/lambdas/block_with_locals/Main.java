import java.util.List;
import java.util.function.Consumer;

class Job {
    Job prepare() { return this; }
    void run() { }
}

class Main {
    static void each(List<Job> jobs, Consumer<Job> action) {
        for (int i = 0; i < jobs.size(); i++) {
            action.accept(jobs.get(i));
        }
    }

    public static void main(String[] args) {
        each(List.of(new Job()), job -> {
            var ready = job.prepare();
            Runnable later = () -> ready.run();
            later.run();
        });
    }
}
