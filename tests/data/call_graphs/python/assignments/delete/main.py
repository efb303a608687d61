def outer():
    def inner():
        pass

    inner()
    del inner


outer()
