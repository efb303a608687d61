import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;
import java.util.function.Supplier;

class Main {
  static void run(LongConsumer c, long n) {}

  static void run(IntConsumer c, int n) {}

  static void close(Runnable a, Runnable... more) {}

  static void close(Runnable a, java.util.function.Consumer<Throwable> handler, Runnable... more) {}

  static <T> T make(Supplier<T> s) {
    return s.get();
  }

  static <T> T make(Function<Integer, T> f) {
    return f.apply(1);
  }

  <T> T fall(String key, Supplier<T> s) {
    return s.get();
  }

  <T> T fall(String key, T value) {
    return fall(key.trim(), value);
  }

  static String on(java.util.Map<String, String> map) {
    return "";
  }

  static String on(Function<String, String> f) {
    return f.apply("");
  }

  void takesInt(int i) {}

  void end() {}

  void go() {
    run(this::takesInt, 1);
    close(this::end, this::end);
    make(int[]::new);
    on(k -> {
      throw new IllegalStateException();
    });
  }
}
