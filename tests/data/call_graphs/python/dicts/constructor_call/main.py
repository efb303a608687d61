def north():
    pass


table = dict(north=north)
table["north"]()
