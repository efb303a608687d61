import other.AbstractBuilder;

class Main {
  static class Builder extends AbstractBuilder<Main, Builder> {
    Builder setSize(int size) {
      return this;
    }

    Main get() {
      return new Main();
    }
  }

  Main() {}

  static Main go() {
    return new Builder().setReader("r").setSize(1).setPath("p").get();
  }
}
