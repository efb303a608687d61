package app;

class OrderServiceTest {
    static class FakeRepo implements Repo {
        public void save() { }

        public void load() { }
    }

    void test() {
        new OrderService(new FakeRepo()).order();
        Fields fields = new Fields();
        fields.repo = new FakeRepo();
        fields.order();
        Setters setters = new Setters();
        setters.use(new FakeRepo());
        setters.order();
    }
}
