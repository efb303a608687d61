interface Callback {
  void call();
}
