class Parser:
    def parse(self):
        return self.tokens

    def tokens(self):
        return []


parser = Parser()
parser.parse()()
