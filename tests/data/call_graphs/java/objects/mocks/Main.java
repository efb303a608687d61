import static org.mockito.Mockito.mock;
import org.mockito.Mock;

interface Service { int serve(); }
class RealService implements Service { public int serve() { return 1; } }

/** A mock of an interface is no object of a class that implements it. */
class Main {
    @Mock Service field;

    void go() {
        Service local = mock(Service.class);
        local.serve();
    }

    void injected() {
        field.serve();
    }

    void real() {
        Service real = new RealService();
        real.serve();
    }
}
