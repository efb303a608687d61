import java.util.List;

abstract class Animal {
    abstract void speak();
}

class Cat extends Animal {
    void speak() { }
}

class Dog extends Animal {
    void speak() { }
}

class Main {
    public static void main(String[] args) {
        List<Animal> animals = List.of(new Cat(), new Dog());
        animals.forEach(Animal::speak);
    }
}
