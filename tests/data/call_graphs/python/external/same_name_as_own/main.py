import json


def dumps(value):
    return "own"


def write(value):
    return json.dumps(value)


write(1)
dumps(2)
