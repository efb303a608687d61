def work():
    pass


decorate = lambda function: work


@decorate
def replaced():
    pass


replaced()
