def registered(cls):
    seen.append(cls)
    return cls


seen = []


@registered
class Service:
    def serve(self):
        pass


Service().serve()
