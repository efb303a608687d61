class Range:
    def __iter__(self):
        yield 1


values = [value for value in Range()]
total = sum(Range())
