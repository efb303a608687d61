package app;

import org.springframework.beans.factory.annotation.Autowired;

public class Fields {
    @Autowired
    Repo repo;

    public void order() {
        repo.save();
    }
}
