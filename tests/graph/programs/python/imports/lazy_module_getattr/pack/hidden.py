def lazy():
    pass
