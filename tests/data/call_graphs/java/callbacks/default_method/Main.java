class Main {
  interface Task {
    void run(int i);

    default Task twice() {
      return i -> {
        run(i);
        this.run(i);
      };
    }

    default void now() {
      run(0);
    }
  }

  static class Slow implements Task {
    public void run(int i) {}

    @Override
    public void now() {}
  }

  void go() {
    Task first = i -> one();
    first.twice().run(1);
    Task second = i -> two();
    second.now();
  }

  void one() {}

  void two() {}
}
