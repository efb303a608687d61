import static other.Asserts.check;

import other.Bus;
import other.Handler;

class Main {
  Bus bus;

  void written() {
    bus.on("a", event -> first());
    Bus.once(this::second);
    Handler local = () -> third();
    bus.add(local);
  }

  void parameter(Handler handler) {
    check(handler, "message");
  }

  void given() {
    parameter(() -> fourth());
  }

  void object(Object value) {
    check(value);
  }

  void asObject() {
    Runnable kept = () -> never();
    object(kept);
  }

  void first() {}

  void second() {}

  void third() {}

  void fourth() {}

  void never() {}
}
