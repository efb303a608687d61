class Root:
    def act(self):
        self.run()

    def run(self):
        pass


class A(Root):
    def run(self):
        pass


class B(Root):
    def run(self):
        pass


class C(B, A):
    pass


C().act()
