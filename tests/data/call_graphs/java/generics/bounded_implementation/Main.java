class Main {
  interface Shape {}

  static class Circle implements Shape {}

  static final class Text {}

  interface Adapter<T> {
    void read(T value);
  }

  static class ShapeAdapter<T extends Shape> implements Adapter<T> {
    public void read(T value) {}
  }

  static class AnyAdapter<T> implements Adapter<T> {
    public void read(T value) {}
  }

  void text(Adapter<Text> adapter, Text text) {
    adapter.read(text);
  }

  void circle(Adapter<Circle> adapter, Circle circle) {
    adapter.read(circle);
  }
}
