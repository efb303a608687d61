def known():
    pass


def unknown():
    pass


table = {"known": known}
table.get("known", unknown)()
table.get("missing", unknown)()
