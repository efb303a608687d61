def late():
    pass


class Slot:
    pass


slot = Slot()
setattr(slot, "run", late)
slot.run()
