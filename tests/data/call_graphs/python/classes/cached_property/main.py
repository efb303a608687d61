from functools import cached_property


class Report:
    @cached_property
    def rows(self):
        return self.load()

    def load(self):
        return []


Report().rows
