class Pages:
    def __iter__(self):
        return PageIterator()


class PageIterator:
    def __init__(self):
        self.done = False

    def __next__(self):
        if self.done:
            raise StopIteration
        self.done = True
        return 1


pages = Pages()
for page in pages:
    print(page)
