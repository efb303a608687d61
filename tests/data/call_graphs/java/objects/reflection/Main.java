interface Plugin { void start(); }
class First implements Plugin { public void start() { } }
class Second implements Plugin { public void start() { } }

/** What is made by the name of a class may be of any. */
class Main {
    void kept() {
        Plugin plugin = new First();
        plugin.start();
    }

    void made(Class<? extends Plugin> cls) throws Exception {
        Plugin plugin = cls.getDeclaredConstructor().newInstance();
        plugin.start();
    }

    void cast(Object object) {
        Plugin.class.cast(object).start();
    }
}
