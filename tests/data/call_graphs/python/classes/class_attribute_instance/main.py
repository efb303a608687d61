class Logger:
    def write(self):
        pass


class Service:
    logger = Logger()

    def run(self):
        self.logger.write()


Service().run()
