package app;

import jakarta.inject.Inject;

public class Setters {
    private Repo repo;

    @Inject
    public void use(Repo repo) {
        this.repo = repo;
    }

    public void order() {
        repo.save();
    }
}
