import static other.Truth.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

class Main {
  Object field;

  void keeps() {
    Supplier<Object> made = () -> new Main();
    field = made;
    Objects.requireNonNull(made, () -> text());
    List<Object> list = new ArrayList<>();
    list.add(made);
    list.contains(field);
  }

  String text() {
    return "";
  }

  void looks(Supplier<String> s) {
    assertThat(field);
    assertThat(s.get());
    String.valueOf(field);
  }

  void passes() {
    looks(this::text);
  }
}
