def compile_it():
    pass


def table():
    return {"compile": compile_it}


table()["compile"]()
