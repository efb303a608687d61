def deep():
    pass


def shallow():
    pass


tree = {"a": {"b": deep}, "c": shallow}
tree["a"]["b"]()
tree["c"]()
