def build():
    pass


jobs = {}
jobs.setdefault("build", build)()
