class AppError extends RuntimeException {
    AppError(String message) { super(message); }
    void report() { }
}

class Main {
    static void fail() { throw new AppError("x"); }

    public static void main(String[] args) {
        try {
            fail();
        } catch (IllegalStateException | NullPointerException e) {
            e.printStackTrace();
        } catch (AppError e) {
            e.report();
        }
    }
}
