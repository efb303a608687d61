class Page:
    @property
    def title(self):
        return self.make_title()

    def make_title(self):
        return "title"

    def render(self):
        return self.title.upper()


Page().render()
