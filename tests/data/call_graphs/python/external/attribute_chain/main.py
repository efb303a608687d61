import os.path


def base(path):
    return os.path.basename(path)


def basename(path):
    return path


base("a/b")
