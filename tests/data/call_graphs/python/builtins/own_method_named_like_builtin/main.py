class Shelf:
    def __init__(self):
        self.books = []

    def append(self, book):
        self.books.append(book)

    def sort(self):
        self.books.sort()


shelf = Shelf()
shelf.append("b")
shelf.sort()
