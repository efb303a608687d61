def beat():
    pass


for note in [beat] * 2:
    note()
