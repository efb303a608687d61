import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.Iterator;

class Main {
  <T> T read(String text, Class<T> kind) {
    return kind.cast(read(text, (Type) kind));
  }

  Object read(String text, Type kind) {
    return null;
  }

  Object read(String text, Integer number) {
    return null;
  }

  void go(Class<?> raw, ParameterizedType type, Object[] values) {
    write(raw);
    write(type);
    write(values.getClass());
    write(String.class);
    read("", String.class);
  }

  void write(Type type) {}

  private void write(String text) {}

  void each(Iterator<?> values, Appendable out) throws java.io.IOException {
    show(values.next());
    new StringBuilder().append("a").append('b');
  }

  void show(Object value) {}

  void show(CharSequence value) {}

  static class Out implements Appendable {
    public Appendable append(CharSequence text) {
      return this;
    }

    public Appendable append(CharSequence text, int from, int to) {
      return this;
    }

    public Appendable append(char c) {
      return this;
    }
  }
}
