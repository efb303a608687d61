def late():
    pass


steps = []
steps.append(late)
steps[0]()
