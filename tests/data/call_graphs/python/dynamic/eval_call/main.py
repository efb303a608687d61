def secret():
    return 1


eval("secret()")
