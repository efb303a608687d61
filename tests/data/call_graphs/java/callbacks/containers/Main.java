import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicReference;

class Main {
  void invokes(ExecutorService service) throws Exception {
    List<Callable<String>> jobs = Arrays.asList(() -> a(), () -> b());
    service.invokeAll(jobs);
  }

  void takes() {
    Map<String, Runnable> known = new HashMap<>();
    known.computeIfAbsent("k", k -> () -> c());
    known.get("k").run();
  }

  void holds() {
    AtomicReference<Runnable> box = new AtomicReference<>(() -> d());
    box.get().run();
  }

  String a() {
    return "";
  }

  String b() {
    return "";
  }

  void c() {}

  void d() {}
}
