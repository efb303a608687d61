def act():
    return "theirs"
