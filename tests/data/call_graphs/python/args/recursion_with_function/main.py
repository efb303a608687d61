def apply(function, times):
    if times:
        function()
        apply(function, times - 1)


def tick():
    pass


apply(tick, 2)
