class SecondTest {
  void tests() {
    Fixture.apply(
        new Callback() {
          public void call() {
            second();
          }
        });
  }

  void second() {}
}
