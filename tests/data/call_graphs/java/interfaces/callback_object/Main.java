import java.util.ArrayList;
import java.util.List;

interface Observer {
    void update(int value);
}

class Printer implements Observer {
    public void update(int value) { print(value); }
    private void print(int value) { }
}

class Subject {
    private final List<Observer> observers = new ArrayList<>();
    void attach(Observer observer) { observers.add(observer); }
    void fire(int value) { observers.forEach(observer -> observer.update(value)); }
}

class Main {
    static void note(int value) { }

    public static void main(String[] args) {
        Subject subject = new Subject();
        subject.attach(new Printer());
        subject.attach(value -> note(value));
        subject.fire(3);
    }
}
