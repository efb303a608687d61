def default():
    return 1


class Settings:
    level = default()
    names = [default() for _ in range(2)]


Settings()
