def job():
    pass


class Worker:
    def load(self):
        self.job = job

    def work(self):
        self.job()


worker = Worker()
worker.load()
worker.work()
