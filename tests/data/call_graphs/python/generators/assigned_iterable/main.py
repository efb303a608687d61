class Count:
    def __init__(self):
        self.value = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.value += 1
        if self.value > 2:
            raise StopIteration
        return self.value


count = Count()
again = count
for number in again:
    print(number)
