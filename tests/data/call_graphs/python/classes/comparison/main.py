class Age:
    def __init__(self, years):
        self.years = years

    def __lt__(self, other):
        return self.years < other.years

    def __eq__(self, other):
        return self.years == other.years


Age(1) < Age(2)
Age(1) == Age(1)
