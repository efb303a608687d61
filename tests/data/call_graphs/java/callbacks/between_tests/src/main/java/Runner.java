class Runner {
  void run(Callback callback) {
    callback.call();
  }
}
