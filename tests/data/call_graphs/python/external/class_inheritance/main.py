from collections import UserDict


class Store(UserDict):
    def fetch(self, key):
        return self.get(key, self.missing())

    def missing(self):
        return None


Store().fetch("x")
