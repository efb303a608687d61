class Plain:
    pass


def fallback():
    pass


getattr(Plain(), "action", fallback)()
