class Bus:
    def on(self, function):
        self.function = function
        return function

    def emit(self):
        self.function()


bus = Bus()


@bus.on
def listener():
    pass


bus.emit()
