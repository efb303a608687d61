package app;

/** Only the module's description names it. */
public class ServiceImpl implements Service {
    public void serve() { }
}
