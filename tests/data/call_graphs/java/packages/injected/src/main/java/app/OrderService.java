package app;

import org.springframework.stereotype.Service;

/** The container makes it, and gives it a `JpaRepo`; a test gives it one of its own. */
@Service
public class OrderService {
    private final Repo repo;

    public OrderService(Repo repo) {
        this.repo = repo;
    }

    public void order() {
        repo.save();
    }
}
