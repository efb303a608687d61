class Stack:
    def put(self, item):
        return item

    push = put


Stack().push(1)
