import com.example.Lazy;
import java.util.function.Function;
import java.util.function.Supplier;

/** What a library makes of a lambda may be of any interface with its parameters and its result. */
class Main {
  void makes() {
    Object all = Lazy.all(() -> first(), x -> second(x), () -> { third(); });
    supplies((Supplier<Integer>) all);
    applies((Function<String, Integer>) all);
    runs((Runnable) all);
  }

  void supplies(Supplier<Integer> supplier) {
    supplier.get();
  }

  void applies(Function<String, Integer> function) {
    function.apply("");
  }

  void runs(Runnable task) {
    task.run();
  }

  int first() {
    return 1;
  }

  int second(Object x) {
    return 2;
  }

  void third() {}
}
