def act():
    return "mine"


from library import act

act()
