import java.util.ArrayList;
import java.util.List;

abstract class Repository<E> {
    private final List<E> all = new ArrayList<>();
    void save(E e) { check(e); all.add(e); }
    abstract void check(E e);
    E first() { return all.get(0); }
}

class User {
    void login() { }
}

class Users extends Repository<User> {
    void check(User user) { user.login(); }
}

class Main {
    public static void main(String[] args) {
        Users users = new Users();
        users.save(new User());
        users.first().login();
    }
}
