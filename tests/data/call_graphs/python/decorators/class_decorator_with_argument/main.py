class Retry:
    def __init__(self, times):
        self.times = times

    def __call__(self, function):
        def again():
            return function()

        return again


@Retry(3)
def flaky():
    pass


flaky()
