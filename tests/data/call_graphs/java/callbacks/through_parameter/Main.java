import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.function.Executable;

class Main {
  static void fails(Executable code) {
    assertThrows(IllegalStateException.class, code);
  }

  void test() {
    fails(() -> act());
    fails(Main::stop);
    Runnable quiet = () -> act();
    assertNotNull(quiet);
  }

  void act() {}

  static void stop() {}

  static void stop(int after) {}
}
