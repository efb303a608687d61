import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

class Main {
  static final Comparator<Main> ORDER = Comparator.comparing(Main::key).thenComparing(m -> m.second());

  String key() {
    return "";
  }

  String second() {
    return "";
  }

  void sorts(List<Main> list) {
    list.sort(ORDER);
  }

  void collects(List<Main> list) {
    list.stream().collect(Collectors.groupingBy(Main::key, Collectors.mapping((Main m) -> m.second(), Collectors.toList())));
  }

  int applies() {
    Function<String, Integer> size = s -> length(s);
    return size.andThen(n -> twice(n)).apply("");
  }

  int length(String s) {
    return 0;
  }

  int twice(int n) {
    return 0;
  }
}
