import first.Tool;

class Main {
    public static void main(String[] args) {
        new Tool().use();
        new second.Tool().use();
    }
}
