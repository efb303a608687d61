package app;

import org.springframework.stereotype.Component;

/** Nobody names it: a container makes it. */
@Component
public class ServiceImpl implements Service {
    public void serve() { }
}
