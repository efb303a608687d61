def work():
    return 1


def cleanup():
    pass


def run():
    try:
        return work()
    finally:
        cleanup()


run()
