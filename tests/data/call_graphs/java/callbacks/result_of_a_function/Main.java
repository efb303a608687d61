import java.util.function.BiFunction;

/** What a function returns is not the function. */
class Main {
  Object result(BiFunction<String, Object, Object> change) {
    return change.apply("", null);
  }

  void runs(BiFunction<String, Object, Object> function) {
    function.apply("", this);
  }

  @SuppressWarnings("unchecked")
  void uses() {
    runs((BiFunction<String, Object, Object>) result((k, v) -> value()));
  }

  @SuppressWarnings("unchecked")
  void makes() {
    runs((BiFunction<String, Object, Object>) result((k, v) -> (BiFunction<String, Object, Object>) (l, w) -> value()));
  }

  Object value() {
    return null;
  }
}
