helper = __import__("helper")
helper.work()
