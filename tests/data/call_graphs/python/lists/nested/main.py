def deep():
    pass


def flat():
    pass


grid = [[flat], [flat, deep]]
grid[1][1]()
