import sys

if sys.version_info >= (3,):

    def modern():
        return helper()


def helper():
    return 1


modern()
