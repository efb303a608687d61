def wash():
    pass


def dry():
    pass


def run_all(table):
    for name, step in table.items():
        step()


run_all({"wash": wash, "dry": dry})
