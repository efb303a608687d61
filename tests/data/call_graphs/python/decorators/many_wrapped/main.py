from functools import wraps


def traced(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Made:
    def use(self):
        pass


class Other:
    def use(self):
        pass


@traced
def made():
    return Made()


@traced
def other():
    return Other()


def take_made():
    made().use()


def take_other():
    other().use()


@traced
def call_back(function):
    function()


def passed():
    pass


call_back(passed)
take_made()
take_other()


@traced
def task_0():
    pass


@traced
def task_1():
    pass


@traced
def task_2():
    pass


@traced
def task_3():
    pass


@traced
def task_4():
    pass


@traced
def task_5():
    pass


@traced
def task_6():
    pass


@traced
def task_7():
    pass


@traced
def task_8():
    pass


@traced
def task_9():
    pass


@traced
def task_10():
    pass


@traced
def task_11():
    pass


@traced
def task_12():
    pass


@traced
def task_13():
    pass


@traced
def task_14():
    pass


@traced
def task_15():
    pass


@traced
def task_16():
    pass


@traced
def task_17():
    pass


@traced
def task_18():
    pass


@traced
def task_19():
    pass


task_0()
task_1()
task_2()
task_3()
task_4()
task_5()
task_6()
task_7()
task_8()
task_9()
task_10()
task_11()
task_12()
task_13()
task_14()
task_15()
task_16()
task_17()
task_18()
task_19()
