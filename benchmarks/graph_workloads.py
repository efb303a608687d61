"""Programs to trace: the test suites that packages ship, and broad workloads for packages that ship none.

Each workload runs in its own process and exercises one installed package; `graph_runtime_recall.py` watches it.
"""

from __future__ import annotations

import contextlib
import io
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workload:
    """One package and what to run: folders or files of its own test suite, or a function of this file."""

    package: str
    tests: tuple[str, ...] = ()
    run: Callable[[float], None] | None = None


TEST_SECONDS = 2.0


class _StopAfter:
    """A pytest plugin that cuts slow tests short and ends the run once its time is used up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.deadline = float("inf")
        self.passed = self.failed = self.cut_short = 0

    def pytest_runtest_setup(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, TEST_SECONDS)

    def pytest_runtest_teardown(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def cut(self, *_: object) -> None:
        self.cut_short += 1
        raise TimeoutError

    def pytest_runtest_logreport(self, report: object) -> None:
        if report.when == "call":
            self.passed += report.passed
            self.failed += report.failed

    def pytest_runtest_logfinish(self) -> None:
        if time.monotonic() > self.deadline:
            import pytest

            pytest.exit("time is up", returncode=0)

    def pytest_collection_modifyitems(self, items: list) -> None:
        # a seeded shuffle: a run that is cut short still touches the whole of the suite
        random.Random(0).shuffle(items)
        self.deadline = time.monotonic() + self.seconds  # collecting, which imports the package, is not counted


def run_tests(package_dir: Path, tests: tuple[str, ...], seconds: float) -> dict[str, int]:
    """Run test files of the package in this process with pytest; the number of tests that passed and failed."""
    import pytest

    plugin = _StopAfter(seconds)
    signal.signal(signal.SIGALRM, plugin.cut)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [
            "-q",
            "-x",
            "--maxfail=100000",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-p",
            "no:timeout",
        ]
        arguments += [
            "-p",
            "no:warnings",
            "--rootdir",
            scratch,
            "--confcutdir",
            str(package_dir),
            "-c",
            "/dev/null",
            "--basetemp",
            f"{scratch}/t",
        ]
        output, sys.stdout = sys.stdout, io.StringIO()
        try:
            pytest.main([*arguments, *(str(package_dir / test) for test in tests)], plugins=[plugin])
        finally:
            sys.stdout = output
    return {
        "tests_passed": plugin.passed,
        "tests_failed": plugin.failed - plugin.cut_short,
        "tests_cut_short": plugin.cut_short,
    }


def pygments_workload(seconds: float) -> None:
    """Lex the standard library and every lexer's own sample of text; format with every formatter and style."""
    import pygments
    from pygments import formatters, lexers, styles

    deadline = time.monotonic() + seconds
    sample = Path(io.__file__).read_text()
    for style in styles.get_all_styles():
        pygments.highlight(
            sample[:2000], lexers.PythonLexer(), formatters.HtmlFormatter(style=style, linenos=True, full=True)
        )
    for formatter in formatters.get_all_formatters():
        if not {"PIL", "img", "gif", "jpg", "bmp"} & set(formatter.aliases):
            pygments.highlight(sample[:2000], lexers.PythonLexer(), formatter())
    texts = [
        sample[:3000],
        "<html><b>x</b>{{ y }}</html>\n",
        "# title\n\n* item `code`\n",
        "x = 1; y = [a, b]\n-- z\n",
        "$ ls\n",
    ]
    names = [aliases[0] for _, aliases, _, _ in lexers.get_all_lexers() if aliases]
    for name in names:
        lexer = lexers.get_lexer_by_name(name, stripall=True, encoding="guess")
        for text in texts:
            for _ in lexer.get_tokens(text):
                pass
            lexer.analyse_text(text)
        if time.monotonic() > deadline:
            break
    lexers.guess_lexer(sample[:2000])
    lexers.guess_lexer_for_filename("x.html", "<html>")


def rich_workload(seconds: float) -> None:
    """Render every kind of thing that rich draws, to a recording console."""
    from rich import box, inspect, pretty, traceback
    from rich.align import Align
    from rich.columns import Columns
    from rich.console import Console, Group
    from rich.emoji import Emoji
    from rich.json import JSON
    from rich.layout import Layout
    from rich.live import Live
    from rich.logging import RichHandler
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.progress import Progress, track
    from rich.prompt import Confirm, IntPrompt, Prompt
    from rich.rule import Rule
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

    for color in (None, "truecolor", "256", "standard"):
        console = Console(file=io.StringIO(), record=True, force_terminal=True, color_system=color, width=100)
        table = Table("a", "b", title="t", caption="c", box=box.ROUNDED, row_styles=["dim", ""], show_footer=True)
        table.add_row("1", Text.from_markup("[bold red]2[/] :smile:"))
        table.add_section()
        table.add_row(Panel("x", title="p"), Align.center("y"))
        tree = Tree("root", guide_style="blue")
        tree.add("leaf").add(table)
        layout = Layout()
        layout.split_row(Layout(Panel("left"), ratio=2), Layout(name="right"))
        layout["right"].split_column(Layout("up"), Layout("down"))
        markdown = "# T\n\n1. one\n2. two\n\n> quote\n\n```python\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[l](http://x) **b** *i* `c`\n\n---\n"
        for thing in (
            table,
            tree,
            layout,
            Markdown(markdown),
            Syntax("def f():\n    return 1", "python", line_numbers=True),
        ):
            console.print(thing)
        console.print(Group(Rule("r"), Padding("p", 2), Columns(["a", "b", "c"], equal=True), JSON('{"a": [1, null]}')))
        console.print(
            [1, {"a": (1, 2)}, {3}], Emoji("heart"), "[link=http://x]l[/link] http://y 127.0.0.1 '/a/b'", highlight=True
        )
        console.log("log", log_locals=True)
        pretty.pprint({"a": list(range(50))}, console=console, expand_all=True)
        inspect(console, console=console, methods=True)
        try:
            raise ValueError("x")
        except ValueError:
            console.print_exception(show_locals=True)
            console.print(traceback.Traceback(width=80, extra_lines=2))
        with Live(table, console=console, refresh_per_second=20) as live:
            live.update(tree, refresh=True)
        with Progress(console=console) as progress:
            task = progress.add_task("work", total=3)
            for _ in range(3):
                progress.advance(task)
        list(track(range(3), console=console))
        with console.status("busy"):
            console.print("x")
        with console.capture(), console.pager(styles=True) if False else console.capture():
            console.print("y")
        handler = RichHandler(console=console, rich_tracebacks=True)
        import logging

        handler.handle(logging.LogRecord("n", logging.INFO, "f.py", 1, "m %s", ("x",), None))
        Prompt.ask("name", console=console, stream=io.StringIO("bob\n"), choices=["bob"])
        IntPrompt.ask("age", console=console, stream=io.StringIO("3\n"))
        Confirm.ask("sure", console=console, stream=io.StringIO("y\n"))
        console.export_html(clear=False)
        console.export_svg(clear=False)
        console.export_text()


def jinja2_workload(seconds: float) -> None:
    """Render templates with every statement, filter and test of the language, in all kinds of environments."""
    import jinja2
    from jinja2 import ext, meta, nativetypes, sandbox

    templates = {
        "base": "{% block head %}h{% endblock %}{% block body required %}{% endblock %}",
        "child": "{% extends 'base' %}{% block head %}{{ super() }}{% endblock %}{% block body %}{{ self.head() }}{% endblock %}",
        "macros": "{% macro f(a, b=1) %}{{ a }}{{ b }}{{ caller() if caller else '' }}{{ varargs }}{{ kwargs }}{% endmacro %}",
        "use": "{% import 'macros' as m %}{% from 'macros' import f with context %}{{ m.f(1, z=2) }}{% call f(2, 3, 4) %}c{% endcall %}",
        "loop": "{% for a, b in d|dictsort recursive %}{{ loop.index }}{{ loop.cycle('x', 'y') }}{{ loop.changed(a) }}{{ loop.previtem }}{% else %}e{% endfor %}",
        "cond": "{% if x is defined and not y is none %}{{ x|default('n')|upper|e }}{% elif z %}{{ z }}{% else %}0{% endif %}{% set q = namespace(n=1) %}{% set q.n = 2 %}{{ q.n }}",
        "filters": "{{ l|map('abs')|sum }}{{ l|select('odd')|list }}{{ l|groupby('real')|list }}{{ l|batch(2, 0)|list }}{{ s|wordwrap(5)|indent|title }}"
        "{{ s|urlize }}{{ d|tojson }}{{ l|sort(reverse=true)|join(',') }}{{ l|slice(2)|list }}{{ s|truncate(4) }}{{ 3.14|round(1) }}{{ d|xmlattr }}{{ s|striptags|wordcount }}{{ l|min }}{{ l|unique|list }}{{ 12345|filesizeformat }}{{ d|items|list }}",
        "misc": "{% include ['nope', 'loop'] ignore missing %}{% filter upper %}t{% endfilter %}{% with a = 1 %}{{ a + 2 * 3 ** 2 // 1 ~ 'x' }}{% endwith %}{% raw %}{{ }}{% endraw %}"
        "{% autoescape true %}{{ '<' }}{% endautoescape %}{{ l[1:2] }}{{ d['a'] if d.a else none }}{{ 1 < 2 <= 3 }}{{ x in l }}{{ -1 }}{# c #}",
        "i18n": "{% trans n=2 %}one{% pluralize %}{{ n }}{% endtrans %}{{ _('x') }}{% do l.append(1) %}{% for i in l %}{% if i > 1 %}{% break %}{% endif %}{% continue %}{% endfor %}{% debug %}",
    }
    extensions = [ext.do, ext.loopcontrols, ext.debug, ext.i18n]
    for kind in (jinja2.Environment, sandbox.SandboxedEnvironment, nativetypes.NativeEnvironment):
        for options in (
            {},
            {"trim_blocks": True, "line_statement_prefix": "#", "autoescape": True},
            {"undefined": jinja2.StrictUndefined, "optimized": False},
        ):
            environment = kind(
                loader=jinja2.ChoiceLoader([jinja2.DictLoader(templates), jinja2.PrefixLoader({})]),
                extensions=extensions,
                **options,
            )
            environment.install_null_translations()
            for name, source in templates.items():
                meta.find_undeclared_variables(environment.parse(source))
                list(environment.lex(source))
                try:
                    template = environment.get_template(name)
                    data = {"l": [1, 2, 3], "d": {"a": 1, "b": 2}, "s": "see http://a.b now or never", "x": 1}
                    template.render(data)
                    list(template.generate(data))
                    template.stream(data).enable_buffering(2)
                except (jinja2.TemplateError, TypeError, NotImplementedError):
                    pass
    for broken in (
        "{% if %}",
        "{{ x",
        "{% for %}",
        "{{ x.y.z }}",
        "{% block a %}{% endblock %}{% block a %}{% endblock %}",
        "{{ 1/0 }}",
    ):
        with contextlib.suppress(jinja2.TemplateError, ZeroDivisionError):
            jinja2.Environment().from_string(broken).render()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        Path(folder, "t.txt").write_text("{{ 1 }}")
        loader = jinja2.FileSystemLoader(folder)
        environment = jinja2.Environment(loader=loader, bytecode_cache=jinja2.FileSystemBytecodeCache(cache))
        environment.get_template("t.txt").render()
        environment.list_templates()
        environment.compile_templates(f"{cache}/compiled", zip=None)


WORKLOADS = (
    Workload(
        "networkx",
        (
            "classes/tests",
            "algorithms/tests",
            "algorithms/shortest_paths",
            "algorithms/flow",
            "algorithms/community",
            "generators/tests",
            "readwrite/tests",
            "convert.py",
        ),
    ),
    Workload("mpmath", ("tests",)),
    Workload("joblib", ("test",)),
    Workload(
        "sklearn",
        (
            "tests/test_base.py",
            "linear_model/tests",
            "preprocessing/tests",
            "metrics/tests",
            "model_selection/tests",
            "tree/tests",
            "cluster/tests",
        ),
    ),
    Workload("numpy", ("lib/tests", "ma/tests", "polynomial/tests", "_core/tests/test_arrayprint.py")),
    Workload("pygments", run=pygments_workload),
    Workload("rich", run=rich_workload),
    Workload("jinja2", run=jinja2_workload),
)
