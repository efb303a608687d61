def work():
    pass


first = second = work
first()
second()
