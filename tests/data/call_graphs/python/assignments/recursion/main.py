def down(level):
    again = down
    if level:
        again(level - 1)


down(2)
