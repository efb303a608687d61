class Visitor:
    def visit(self, kind):
        return getattr(self, "visit_" + kind)()

    def visit_name(self):
        pass

    def visit_call(self):
        pass


visitor = Visitor()
visitor.visit("name")
visitor.visit("call")
