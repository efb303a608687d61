class Fixture {
  static void apply(Callback callback) {
    callback.call();
  }
}
