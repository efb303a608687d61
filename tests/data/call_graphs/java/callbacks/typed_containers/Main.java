import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A container of numbers holds no function, whatever once was where it came from. */
class Main {
  private Object anything = (Runnable) () -> never();
  private final List<Runnable> tasks = new ArrayList<>();

  @SuppressWarnings("unchecked")
  Map<String, Integer> sizes() {
    return (Map<String, Integer>) anything;
  }

  void reads() {
    Object sizes = sizes();
    ((Runnable) sizes).run();
  }

  void adds() {
    tasks.add(() -> always());
  }

  void runs() {
    for (Runnable task : tasks) {
      task.run();
    }
  }

  void never() {}

  void always() {}
}
