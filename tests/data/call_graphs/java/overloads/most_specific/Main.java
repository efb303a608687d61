class Animal { }

class Dog extends Animal { }

class Puppy extends Dog { }

class Main {
    void feed(Animal animal) { }
    void feed(Dog dog) { }

    void strays(Animal animal) { feed(animal); }
    void kennel(Puppy puppy) { feed(puppy); }
    void hidden() {
        Animal animal = new Dog();
        feed(animal);
    }

    public static void main(String[] args) {
        Main main = new Main();
        main.strays(new Animal());
        main.kennel(new Puppy());
        main.hidden();
    }
}
