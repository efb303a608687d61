import app.model.*;
import app.service.UserService;

class Main {
    public static void main(String[] args) {
        User user = new User("a");
        new UserService().greet(user);
        app.util.Log.write("done");
    }
}
