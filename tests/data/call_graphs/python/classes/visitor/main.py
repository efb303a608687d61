class Number:
    def accept(self, visitor):
        return visitor.visit_number(self)


class Sum:
    def __init__(self, left, right):
        self.left, self.right = left, right

    def accept(self, visitor):
        return visitor.visit_sum(self)


class Evaluator:
    def visit_number(self, node):
        return 1

    def visit_sum(self, node):
        return node.left.accept(self) + node.right.accept(self)


Sum(Number(), Number()).accept(Evaluator())
