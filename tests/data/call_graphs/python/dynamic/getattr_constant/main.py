class Tool:
    def cut(self):
        pass

    def glue(self):
        pass


tool = Tool()
getattr(tool, "cut")()
