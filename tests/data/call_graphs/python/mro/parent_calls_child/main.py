class Template:
    def run(self):
        return self.step()

    def step(self):
        raise NotImplementedError


class Concrete(Template):
    def step(self):
        return 1


Concrete().run()
