package app;

import org.springframework.stereotype.Repository;

@Repository
public class JpaRepo implements Repo {
    public void save() { }

    public void load() { }
}
