NAME = "name"
