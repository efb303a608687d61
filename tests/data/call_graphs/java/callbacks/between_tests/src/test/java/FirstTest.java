/** Knows nothing of the other test: its objects do not get here. */
class FirstTest {
  void takes(Callback callback) {
    callback.call();
  }

  void tests() {
    new Runner().run(() -> first());
  }

  void first() {}
}
