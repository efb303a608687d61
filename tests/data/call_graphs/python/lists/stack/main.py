def visit(node):
    return node


def walk(root):
    pending = [visit]
    while pending:
        action = pending.pop()
        action(root)


walk(1)
