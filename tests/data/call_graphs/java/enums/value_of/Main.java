class Main {
  enum Kind {
    ONE,
    TWO;

    String label() {
      return "";
    }

    static String read(String text) {
      return valueOf(text).label() + values()[0].label();
    }
  }

  enum Own {
    ONE;

    static Own valueOf(int number) {
      return ONE;
    }
  }

  String go(String text) {
    Own.valueOf(1);
    return Kind.valueOf(text).label();
  }
}
