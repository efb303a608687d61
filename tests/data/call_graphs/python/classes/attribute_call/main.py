def beep():
    pass


class Horn:
    sound = beep


Horn.sound()
