import com.example.Either;
import com.example.Handler;
import com.example.Task;

/** Lambdas for interfaces whose sources are not there: the one method that is called with so many arguments runs them. */
class Main {
  private Handler handler = event -> handle(event);

  void calls() {
    runs(() -> first());
    handler.on("event");
  }

  void runs(Task task) {
    task.perform();
    task.toString();
    waits(task);
  }

  void waits(Object task) {
    task.hashCode();
  }

  /** Two methods of one argument: which of them runs the lambda is not known. */
  void chooses() {
    either(x -> left(x));
  }

  void either(Either either) {
    either.accept("");
    either.reject("");
  }

  void first() {}

  void handle(Object event) {}

  void left(Object x) {}
}
