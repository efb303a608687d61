def cell(row, column):
    return row * column


table = [[cell(row, column) for column in range(2)] for row in range(2)]
