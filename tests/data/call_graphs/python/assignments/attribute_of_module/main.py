import settings


def handler():
    pass


settings.handler = handler
settings.fire()
