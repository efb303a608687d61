"""Java: the front end of the code graph for `.java` files.

Per file (`reading/extract.py`, `reading/code.py`): definitions, and the code as flat instructions. Over all files: names and
inheritance (`types/names.py`), then the types of all expressions, calls by overload resolution and class hierarchy analysis
(`calls/bodies.py`, `calls/calls.py`, `calls/methods.py`), where lambdas and method references flow (`calls/function_flow.py`), and which
objects arrive at the receivers of calls (`calls/objects.py`, `calls/object_places.py`, `calls/returned.py`).

What the edges mean:

* `calls` go from the innermost method or lambda, for initializers from the class, to every method of the project that may
  run on the objects that get there, and to the abstract method that the call names; none between files that no program
  has together (`calls/programs.py`). Making an object calls the constructor that is written in the
  source (an implicit one leads to that of the superclass). `for` over a class of the project calls `iterator()`,
  `hasNext()` and `next()`, try with resources `close()`. Functions that are given to code outside of the project are
  called from where they are given, if it takes functions there (`calls/library_calls.py`).
* `imports` go from the file to what its imports name, and to the types of the own package and of `import p.*` that are used.
* `references` are all other uses of classes, fields and methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codefuse_hf.graph.languages.base import Edges, FileFacts, LanguageFrontEnd, Ref
from codefuse_hf.graph.languages.java.calls.between_tests import without_calls_between_tests
from codefuse_hf.graph.languages.java.calls.bodies import Bodies
from codefuse_hf.graph.languages.java.calls.programs import without_calls_between_programs
from codefuse_hf.graph.languages.java.reading.extract import extract
from codefuse_hf.graph.languages.java.types.names import Project
from codefuse_hf.graph.languages.source_text import SourceText


class JavaFrontEnd(LanguageFrontEnd):
    """Java, up to the language level that the installed grammar knows."""

    def extract(self, path: str, source: SourceText) -> FileFacts:
        """Read a file."""
        return extract(path, source)

    def resolve(self, project: Mapping[str, FileFacts]) -> Iterable[tuple[str, Ref, Ref]]:
        """Find the edges between all files."""
        return _resolve(project)


def _resolve(files: Mapping[str, FileFacts]) -> Edges:
    if not files:
        return Edges()
    project = Project(files)
    bodies = Bodies(project)
    bodies.run()
    for unit in project.units:
        for source, environment, text in unit.mentions:
            caller = Ref(unit.path, source)
            for cls in unit.classes_in(environment, text):
                bodies.refer(caller, cls.ref)
    found = without_calls_between_programs([*bodies.edges, *project.inheritance(), *project.imports()], project.units)
    edges = Edges(without_calls_between_tests(found, files))
    edges.problems = bodies.problems()
    return edges
