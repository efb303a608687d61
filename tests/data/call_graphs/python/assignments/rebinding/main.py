def early():
    pass


def late():
    pass


job = early
job()
job = late
job()
