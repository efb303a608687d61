class Main {
  static class Reader {
    private void push(int i) {}

    void pull() {
      push(1);
    }
  }

  static boolean same(Object a, Object b) {
    return true;
  }

  void go() {
    Hidden.same("a", "b");
    new Hidden(null);
  }
}

class TreeReader extends Main.Reader {
  private void push(Object o) {}

  void next(Object o) {
    push(o);
    push(1);
  }
}

class Hidden {
  Hidden(Object o) {}

  private Hidden(String s) {}

  static boolean same(Object a, Object b) {
    return true;
  }

  private static boolean same(String a, Object b) {
    return true;
  }
}
