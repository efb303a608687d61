package app;

public interface Repo {
    void save();

    void load();
}
