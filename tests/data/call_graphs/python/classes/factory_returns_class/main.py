class Json:
    def dump(self):
        pass


class Yaml:
    def dump(self):
        pass


def writer_for(kind):
    if kind == "json":
        return Json
    return Yaml


writer_for("json")().dump()
writer_for("yaml")().dump()
