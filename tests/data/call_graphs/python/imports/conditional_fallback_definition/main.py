try:
    from missing_fast_version import work
except ImportError:

    def work():
        pass


work()
