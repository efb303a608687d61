class Size:
    def __lt__(self, other):
        return False

    def __gt__(self, other):
        return True

    def key(self):
        return 1


def least():
    return min([Size(), Size()])


def greatest():
    return max(Size(), Size())


def in_place():
    sizes = [Size(), Size()]
    sizes.sort()


def by_key():
    sizes = [Size(), Size()]
    sizes.sort(key=Size.key)
    return min(sizes, key=Size.key), sorted(sizes, key=Size.key)


least().key()
greatest()
in_place()
by_key()
