"""Labelled call-graph programs: reading their labels, and checking the labels against what the programs do.

A program is a folder ``tests/data/call_graphs/python/<category>/<case>/`` with ``main.py``, further modules, and ``callgraph.json``:
``{"caller": ["callee", ...]}`` between the program's own functions, in dotted names (``main.Class.method``,
``main.outer.inner``; the k-th lambda of a scope is ``<lambdak>``; module-level code is the module, class-level code the
class; comprehensions belong to the scope around them). Two reserved keys carry what a run cannot say, each as
``[caller, callee, reason]``: ``"unreached"`` are calls in the program's text that this run does not reach (they count as
labels), ``"neutral"`` are calls that library code makes for the caller (they count neither for nor against).

``python benchmarks/program_labels.py`` runs every program under ``sys.setprofile`` and prints every disagreement: a call
that happens must be labelled, and a label must happen or be marked ``unreached``.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

PROGRAMS = Path(__file__).resolve().parents[1] / "tests" / "data" / "call_graphs" / "python"
TRANSPARENT = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
SUSPENDABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

Edge = tuple[str, str]


@dataclass(frozen=True)
class Labels:
    """The labelled calls of one program, as (caller, callee) pairs of dotted names."""

    reached: frozenset[Edge]
    unreached: frozenset[Edge] = field(default=frozenset())
    neutral: frozenset[Edge] = field(default=frozenset())

    @property
    def edges(self) -> frozenset[Edge]:
        """Every call that a call graph should have."""
        return self.reached | self.unreached


def cases(root: Path = PROGRAMS) -> list[Path]:
    """Folders of all programs, sorted."""
    return sorted(path.parent for path in root.glob("*/*/callgraph.json"))


def case_name(case: Path) -> str:
    """``category/case``."""
    return f"{case.parent.name}/{case.name}"


def read_labels(case: Path) -> Labels:
    """Labels of the program in the folder ``case``."""
    raw = json.loads((case / "callgraph.json").read_text(encoding="utf-8"))
    marked = {
        key: frozenset((caller, callee) for caller, callee, _ in raw.pop(key, ())) for key in ("unreached", "neutral")
    }
    return Labels(frozenset((caller, callee) for caller, callees in raw.items() for callee in callees), **marked)


def dotted_names(code: CodeType, name: str, found: dict[int, str] | None = None) -> dict[int, str]:
    """Dotted name of every code object below (and including) ``code``, by ``id``; lambdas are numbered per scope."""
    found = {} if found is None else found
    found[id(code)] = name
    lambdas = []
    pending = [code]
    while pending:
        parent = pending.pop()
        for child in parent.co_consts:
            if not isinstance(child, CodeType):
                continue
            if child.co_name in TRANSPARENT:
                found[id(child)] = name
                pending.append(child)
            elif child.co_name == "<lambda>":
                lambdas.append(child)
            elif child.co_name == parent.co_name and child.co_firstlineno == parent.co_firstlineno:
                dotted_names(child, name, found)  # the generator inside the wrapper that _Wrap made
            else:
                dotted_names(child, f"{name}.{child.co_name}", found)
    lambdas.sort(key=lambda item: min((line, col) for line, _, col, end in item.co_positions() if line and end))
    for number, child in enumerate(lambdas, 1):
        dotted_names(child, f"{name}.<lambda{number}>", found)
    return found


class _Wrap(ast.NodeTransformer):
    """Put each generator and coroutine function into a plain function of its name.

    The interpreter reports a generator's frame when it is resumed, not when its function is called; the plain function
    around it makes the call visible.
    """

    def _visit(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node, ast.AsyncFunctionDef) and not _yields(node):
            return node
        forward = ast.parse(f"return {node.name}(*_args, **_kwargs)").body
        decorators, node.decorator_list = node.decorator_list, []
        first_line = min([node.lineno, *(item.lineno for item in decorators)])
        wrapper = ast.parse(f"def {node.name}(*_args, **_kwargs): pass").body[0]
        wrapper.decorator_list, wrapper.body = decorators, [node, *forward]
        node.lineno = first_line  # both report the same first line, which is how dotted_names knows them
        for item in (wrapper, *ast.walk(wrapper.args), *(part for line in forward for part in ast.walk(line))):
            ast.copy_location(item, node)
        return wrapper

    visit_FunctionDef = visit_AsyncFunctionDef = _visit


def _yields(function: ast.FunctionDef) -> bool:
    pending = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))
    return False


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module of the program with its generators wrapped, and notes the dotted names of its code objects."""

    names: dict[int, str]
    kept: list[CodeType]

    def get_code(self, fullname: str) -> CodeType:
        tree = _Wrap().visit(ast.parse(Path(self.path).read_bytes()))
        code = compile(ast.fix_missing_locations(tree), self.path, "exec")
        self.kept.append(code)
        module = "main" if fullname == "__main__" else fullname
        self.names.update(dotted_names(code, module))
        return code


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, root: Path, loader: type[_Loader]) -> None:
        self.root, self.loader = root, loader

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> object:
        base = self.root.joinpath(*fullname.split("."))
        for file, folder in ((base / "__init__.py", [str(base)]), (base.with_suffix(".py"), None)):
            if file.is_file():
                return importlib.util.spec_from_file_location(
                    fullname, file, loader=self.loader(fullname, str(file)), submodule_search_locations=folder
                )
        return None


def trace_program(case: Path) -> set[Edge]:
    """Run the program in the folder ``case`` and return the calls between its own functions, as dotted names."""
    names: dict[int, str] = {}
    loader = type("Loader", (_Loader,), {"names": names, "kept": []})
    finder = _Finder(case, loader)
    edges: set[Edge] = set()
    skipped_files = {contextlib.__file__, functools.__file__}

    def owner(frame: FrameType | None) -> str | None:
        # exec, eval and dataclass run generated text; what contextlib and functools wrap stands for the function in it
        while frame is not None and id(frame.f_code) not in names:
            if not frame.f_code.co_filename.startswith("<string>") and frame.f_code.co_filename not in skipped_files:
                return None
            frame = frame.f_back
        return None if frame is None else names[id(frame.f_code)]

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        callee = names.get(id(code))
        if event != "call" or callee is None or code.co_flags & SUSPENDABLE or code.co_name in TRANSPARENT:
            return
        if code.co_flags & inspect.CO_OPTIMIZED == 0:  # a module or the body of a class
            return
        caller = owner(frame.f_back)
        if caller is not None:
            edges.add((caller, callee))

    before = set(sys.modules)
    main_module = sys.modules["__main__"]
    sys.meta_path.insert(0, finder)
    try:
        spec = finder.find_spec("main")
        module = importlib.util.module_from_spec(spec)
        module.__name__ = "__main__"
        sys.modules["__main__"] = module
        code = spec.loader.get_code("main")
        with contextlib.redirect_stdout(io.StringIO()):
            sys.setprofile(profile)
            try:
                exec(code, module.__dict__)
            finally:
                sys.setprofile(None)
    finally:
        sys.meta_path.remove(finder)
        sys.modules["__main__"] = main_module
        for name in set(sys.modules) - before:
            if isinstance(getattr(sys.modules[name].__spec__, "loader", None), _Loader):
                del sys.modules[name]
    return edges


def disagreements(case: Path) -> list[str]:
    """What the labels of a program say otherwise than its run; an empty list when they agree."""
    labels, traced = read_labels(case), trace_program(case)
    found = [f"happens, not labelled: {' -> '.join(edge)}" for edge in sorted(traced - labels.reached)]
    found += [f"labelled, does not happen: {' -> '.join(edge)}" for edge in sorted(labels.reached - traced)]
    found += [
        f"marked as unreached or neutral, but happens: {' -> '.join(edge)}"
        for edge in sorted(traced & (labels.unreached | labels.neutral))
    ]
    return found


def main() -> int:
    """Check all programs; the exit status is 1 when a label is wrong."""
    wrong = {case_name(case): found for case in cases() if (found := disagreements(case))}
    for name, found in wrong.items():
        print(name, *found, sep="\n    ")
    print(f"{len(cases())} programs, {sum(len(read_labels(case).edges) for case in cases())} calls, {len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
