import bases


class Child(bases.deep.Base):
    def run(self):
        return self.help()


Child().run()
