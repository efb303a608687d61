def make():
    class Base:
        def run(self):
            pass

    class Child(Base):
        pass

    return Child


make()().run()
