from abc import ABC, abstractmethod


class Store(ABC):
    @abstractmethod
    def save(self):
        pass

    def flush(self):
        self.save()


class Disk(Store):
    def save(self):
        pass


Disk().flush()
