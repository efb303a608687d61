"""A language for tests: `shape Name` is a class, `step name: other names` a function that calls others; blanks say what is inside."""

from codefuse_hf.graph.languages.base import Definition, FileFacts, LanguageDescription, LanguageFrontEnd, Ref


class ToyFrontEnd(LanguageFrontEnd):
    def extract(self, path, source):
        definitions, facts, offset, container = [Definition("File", -1, 0, len(source.text), {})], [], 0, 0
        for line in source.text.splitlines(keepends=True):
            start, end, words = offset, offset + len(line.rstrip()), line.replace(":", "").split()
            offset += len(line)
            if line[:1] != " ":
                container = 0
            if words[:1] == ["shape"]:
                container = len(definitions)
                definitions.append(Definition("Class", 0, start, end, {"title": words[1], "classType": "shape"}))
            elif words[:1] == ["step"]:
                facts.append((len(definitions), words[1], words[2:]))
                definitions.append(Definition("Function", container, start, end, {"name": words[1], "header": "step"}))
        return FileFacts(path, "toy", definitions, facts)

    def resolve(self, project):
        named = {name: Ref(path, i) for path, file in project.items() for i, name, _ in file.facts}
        for path, file in project.items():
            for index, _, called in file.facts:
                yield from (("calls", Ref(path, index), named[name]) for name in called if name in named)


LANGUAGE = LanguageDescription(
    name="toy",
    suffixes=(".toy",),
    front_end=ToyFrontEnd,
    spelling={"Class": {"name": "title"}},
    sentences={"Class": lambda fields: f"a shape called {fields('name')}"},
    unit_kinds={"Function": "function"},
    package_files=("main",),
)
