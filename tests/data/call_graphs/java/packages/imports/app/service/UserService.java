package app.service;

import app.model.User;
import app.util.Log;

public class UserService {
    public void greet(User user) { Log.write(user.name()); }
}
