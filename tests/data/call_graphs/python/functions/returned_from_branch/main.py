def outer(flag):
    def yes():
        pass

    def no():
        pass

    if flag:
        return yes
    return no


outer(True)()
outer(False)()
