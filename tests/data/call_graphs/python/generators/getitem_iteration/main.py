class Old:
    def __getitem__(self, index):
        if index > 1:
            raise IndexError
        return index


for value in Old():
    print(value)
