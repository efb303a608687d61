def job():
    pass


jobs = {"x": job}
jobs.pop("x")()
