class Feed:
    def __next__(self):
        return item()


def item():
    return 1


feed = Feed()
next(feed)
