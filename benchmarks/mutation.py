"""Would the tests notice? Changes one place of a file at random, runs the tests of that file, and counts what went unnoticed.

    pip install -e ".[test,mutation]"
    python benchmarks/mutation.py --per-folder 25 --seed 1 --map map --output mutants.jsonl

Places are drawn evenly over a folder, the change to a place evenly among what Cosmic Ray's operators and `StatementRemover` can
do there. Files are changed where they are, one at a time, and restored; so the folders must have no uncommitted changes. If the
run is killed: `git checkout -- modeling kernels codefuse_hf`. `--named` runs the mutants in `NAMED` instead, which went
unnoticed once.

`--map` names a folder with what each test runs, where a test file is noted the first time that it is needed. With it a mutant
meets the tests that run its line first, and those that failed without any change not at all. `--most 30` leaves it at the 30
quickest of those: quicker, and what they do not notice another test may.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import IO

import mutation_map

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = (
    "pytest",
    "hypothesis",
    "torch",
    "torch._dynamo",
    "transformers",
    "transformers.modeling_utils",
    "transformers.generation.utils",
    "transformers.models.qwen2.modeling_qwen2",
)
FOLDERS = ("modeling", "kernels", "codefuse_hf/hub", "codefuse_hf/search")

_RODIMUS = "tests/modeling/rodimus/test_"
_CGE = "tests/modeling/cge/test_"
_CGM = "tests/modeling/cgm/test_"
_CHECKS = "tests/modeling/test_configuration_checks.py"
_HUB = "tests/hub/test_"
_KERNELS = "tests/kernels/test_"
# Without those of the Triton kernels, which run for minutes in an interpreter.
_OPERATORS = [
    f"{_KERNELS}{name}.py"
    for name in ("gates_and_norms", "short_convolution", "sliding_window_attention", "gated_linear_attention")
]
# The tests of a file: those of the first pattern that fits, the quickest and nearest first. A mutant that these do not notice
# counts as unnoticed, whatever other tests would say.
TESTS_OF = {
    "modeling/rodimus/tokenization_*": [f"{_RODIMUS}tokenization_rodimus.py"],
    "modeling/rodimus/configuration_*": [
        _CHECKS,
        f"{_RODIMUS}configuration_rodimus.py",
        f"{_RODIMUS}modeling_rodimus.py",
    ],
    "modeling/rodimus/cache_*": [
        f"{_RODIMUS}cache_rodimus.py",
        f"{_RODIMUS}cache_operations_rodimus.py",
        f"{_RODIMUS}generation_rodimus.py",
        f"{_RODIMUS}generation_modes_rodimus.py",
    ],
    "modeling/rodimus/generation_state_*": [
        f"{_RODIMUS}generation_state_rodimus.py",
        f"{_RODIMUS}cache_operations_rodimus.py",
        f"{_RODIMUS}generation_rodimus.py",
    ],
    "modeling/rodimus/masks_*": [f"{_RODIMUS}masks_rodimus.py", f"{_RODIMUS}generation_rodimus.py"],
    "modeling/rodimus/padding_*": [f"{_RODIMUS}padding_rodimus.py", f"{_RODIMUS}masks_rodimus.py"],
    "modeling/rodimus/virtual_tokens_*": ["tests/training/test_prompt_tuning.py"],
    "modeling/rodimus/*": [
        f"{_RODIMUS}cache_rodimus.py",
        f"{_RODIMUS}modeling_rodimus.py",
        f"{_RODIMUS}golden_rodimus.py",
        f"{_RODIMUS}padding_rodimus.py",
        f"{_RODIMUS}generation_rodimus.py",
        f"{_RODIMUS}masks_rodimus.py",
        f"{_RODIMUS}quantised_rodimus.py",
        f"{_RODIMUS}compiled_rodimus.py",
    ],
    "modeling/cge/configuration_*": [_CHECKS, f"{_CGE}configuration_cge.py", f"{_CGE}modeling_cge.py"],
    "modeling/cge/adapters_*": [f"{_CGE}adapters_cge.py", f"{_CGE}modeling_cge.py"],
    "modeling/cge/exported_*": [f"{_CGE}exported_cge.py"],
    "modeling/cge/sentence_transformers_*": [f"{_CGE}sentence_transformers_cge.py"],
    "modeling/cge/ragged_*": [f"{_CGE}modeling_cge.py", f"{_CGE}encoding_cge.py", f"{_CGE}exported_cge.py"],
    "modeling/cge/*": [f"{_CGE}modeling_cge.py", f"{_CGE}encoding_cge.py", f"{_CGE}adapters_cge.py"],
    "modeling/cgm/sentences_*": ["tests/graph/cgm/test_sentences.py", f"{_CGM}processing_cgm.py"],
    "modeling/cgm/segments_*": ["tests/graph/cgm/test_segments.py", f"{_CGM}processing_cgm.py"],
    "modeling/cgm/p*": [f"{_CGM}processing_cgm.py"],
    "modeling/cgm/g*": [f"{_CGM}generation_cgm.py", f"{_CGM}processing_cgm.py", f"{_CGM}modeling_cgm.py"],
    "modeling/cgm/configuration_*": [
        _CHECKS,
        f"{_CGM}modeling_cgm.py",
        f"{_CGM}golden_cgm.py",
        f"{_CGM}generation_cgm.py",
    ],
    "modeling/cgm/*": [f"{_CGM}modeling_cgm.py", f"{_CGM}golden_cgm.py", f"{_CGM}generation_cgm.py"],
    "modeling/cache_names.py": ["tests/modeling/test_cache_names.py", f"{_RODIMUS}generation_rodimus.py"],
    "modeling/configuration_checks.py": [_CHECKS, f"{_CGE}configuration_cge.py", f"{_RODIMUS}configuration_rodimus.py"],
    "modeling/whole_file.py": [f"{_CGE}modeling_cge.py", f"{_RODIMUS}modeling_rodimus.py"],
    "modeling/quantised_layers.py": [f"{_RODIMUS}quantised_rodimus.py", f"{_RODIMUS}modeling_rodimus.py"],
    "kernels/*_triton*.py": ["tests/kernels/test_triton_kernels.py"],
    "kernels/kernel_dispatch.py": [f"{_KERNELS}kernel_dispatch.py", f"{_RODIMUS}modeling_rodimus.py", *_OPERATORS],
    "kernels/decoding_step.py": [f"{_KERNELS}decoding_step.py", f"{_RODIMUS}cache_operations_rodimus.py"],
    "kernels/gated_linear_attention.py": [
        f"{_KERNELS}gated_linear_attention.py",
        f"{_RODIMUS}golden_rodimus.py",
        f"{_KERNELS}derivatives.py",
    ],
    "kernels/gated_norm.py": [f"{_KERNELS}gates_and_norms.py", f"{_RODIMUS}golden_rodimus.py"],
    "kernels/tempered_selection.py": [f"{_KERNELS}gates_and_norms.py", f"{_RODIMUS}golden_rodimus.py"],
    "kernels/short_convolution.py": [f"{_KERNELS}short_convolution.py", f"{_RODIMUS}golden_rodimus.py"],
    "kernels/sliding_window_attention.py": [f"{_KERNELS}sliding_window_attention.py"],
    "kernels/*": [f"{_RODIMUS}golden_rodimus.py", *_OPERATORS, f"{_RODIMUS}modeling_rodimus.py"],
    "codefuse_hf/hub/convert/cge.py": [f"{_HUB}convert_cge.py"],
    "codefuse_hf/hub/convert/cgm.py": [f"{_HUB}convert_cgm.py"],
    "codefuse_hf/hub/convert/*": [f"{_HUB}convert.py", f"{_HUB}convert_cge.py"],
    "codefuse_hf/hub/download.py": [f"{_HUB}download.py", f"{_HUB}push.py"],
    "codefuse_hf/hub/errors.py": [f"{_HUB}errors.py", f"{_HUB}push.py"],
    "codefuse_hf/hub/folder_check.py": [
        f"{_HUB}folder_check.py",
        f"{_HUB}push.py",
        f"{_HUB}convert.py",
        f"{_HUB}convert_cge.py",
    ],
    "codefuse_hf/hub/loading_program.py": [f"{_HUB}folder_check.py", f"{_HUB}push.py"],
    "codefuse_hf/hub/kernels_folder.py": [f"{_HUB}kernels_folder.py"],
    "codefuse_hf/hub/model_card.py": [f"{_HUB}model_card.py"],
    "codefuse_hf/hub/push_space.py": [f"{_HUB}push_space.py"],
    "codefuse_hf/hub/remote_code.py": [f"{_HUB}collect_sources.py", f"{_HUB}remote_code.py", f"{_HUB}push.py"],
    "codefuse_hf/hub/push_plan.py": [f"{_HUB}push_plan.py", f"{_HUB}push.py", f"{_HUB}push_cge.py"],
    "codefuse_hf/hub/push*": [f"{_HUB}push.py", f"{_HUB}push_cge.py", f"{_HUB}push_space.py"],
    "codefuse_hf/hub/weights.py": [f"{_HUB}convert.py", f"{_HUB}convert_cge.py"],
    "codefuse_hf/hub/*": [f"{_HUB}push.py", f"{_HUB}convert.py", f"{_HUB}convert_cge.py", f"{_HUB}remote_code.py"],
    "codefuse_hf/search/small_cge.py": ["tests/search/test_default_model.py"],
    "codefuse_hf/search/*": [
        "tests/search/test_ranking.py",
        "tests/search/test_word_index.py",
        "tests/search/test_words.py",
        "tests/search/test_paths.py",
        "tests/search/test_units.py",
        "tests/search/test_fusion.py",
        "tests/search/test_code_index.py",
        "tests/search",
    ],
}
# (file, what stands there, what takes its place): went unnoticed in November 2026.
NAMED = [
    ("modeling/rodimus/cache_rodimus.py", "        self.cumulative_length.zero_()", "        pass"),
    ("modeling/rodimus/cache_rodimus.py", "return self.get_seq_length() + query_length, 0", "return self.get_seq_length() - query_length, 0"),
    ("modeling/rodimus/cache_rodimus.py", "return self.past + query_length, self.get_seq_length() - self.past", "return self.past - query_length, self.get_seq_length() - self.past"),
    ("modeling/rodimus/cache_rodimus.py", "return self.past + query_length, self.get_seq_length() - self.past", "return self.past + query_length, self.get_seq_length() + self.past"),
    ("modeling/rodimus/cache_rodimus.py", "return self.past + query_length, 0", "return self.past - query_length, 0"),
    ("modeling/rodimus/modeling_rodimus.py", "    layer.keys, layer.values = layer.keys.clone(), layer.values.clone()", "    pass"),
    ("codefuse_hf/search/code_index.py", "if not same_probe(stored, probe):", "if False:"),
    ("codefuse_hf/hub/remote_code.py", "            modules += _config_modules(sub_config, sub_family)", "            pass"),
    ("modeling/cge/adapters_cge.py", "if tensor is not None and name not in module._non_persistent_buffers_set", "if tensor is not None"),
    ("modeling/cge/adapters_cge.py", "if tensor is not None and name not in module._non_persistent_buffers_set", "if name not in module._non_persistent_buffers_set"),
    ("modeling/cge/modeling_cge.py", "init.normal_(module.S, mean=0.0, std=0.02)", "init.normal_(module.S, mean=0.0, std=1.0)"),
    ("modeling/cge/modeling_cge.py", "            init.xavier_uniform_(module.weight)", "            pass"),
    ("modeling/cge/modeling_cge.py", "                init.zeros_(module.bias)", "                init.ones_(module.bias)"),
    ("modeling/cge/modeling_cge.py", "            init.ones_(module.weight)", "            init.zeros_(module.weight)"),
]  # fmt: skip


def tests_of(file: str) -> list[str]:
    """The tests that a mutant of a file is run against. Raises `LookupError` for a file that no pattern fits."""
    for pattern, tests in TESTS_OF.items():
        if fnmatch(file, pattern):
            return list(dict.fromkeys(tests))
    raise LookupError(f"TESTS_OF has no pattern for {file}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=FOLDERS, help=f"default: {' '.join(FOLDERS)}")
    parser.add_argument("--per-folder", type=int, default=25, help="places to change in each folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", default="*_triton*.py", help="files to leave out (run slowly, in an interpreter)")
    parser.add_argument(
        "--timeout", type=float, default=240, help="CPU seconds of one mutant's tests; past that it is noticed"
    )
    parser.add_argument("--named", action="store_true", help="run NAMED")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of mutants, to run these again")
    parser.add_argument("--map", type=Path, help="a folder for which tests run which lines")
    parser.add_argument("--most", type=int, help="with --map: how many tests that run its line a mutant meets")
    parser.add_argument("--output", type=Path, required=True, help="a JSON line for each mutant")
    args = parser.parse_args()
    changed = subprocess.run(["git", "status", "--porcelain", "--", *FOLDERS], cwd=ROOT, capture_output=True, text=True)
    if changed.stdout:
        sys.exit(f"commit or stash first:\n{changed.stdout}")
    if args.named:
        mutants = list(named())
    else:
        mutants = [m for f in args.folders for m in islice(draw(f, args.seed, args.skip), args.per_folder)]
    import_libraries()
    known = args.map and mutation_map.Map(ROOT, args.map)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    noticing = set()
    with args.output.open("a", encoding="utf-8") as output:
        for number, (folder, file, what, mutated) in enumerate(mutants):
            if args.only is None or number in args.only:
                order = known and order_of(known, file, what["line"], args.most)
                found = run(tests_of(file), args.timeout, order, (file, mutated))
                counts[folder][found["noticed"]] += 1
                if found["noticed"]:
                    noticing.add(found["said"].partition(" ")[2].partition(" - ")[0])
                output.write(json.dumps({"number": number, "folder": folder, "file": file, **what, **found}) + "\n")
                output.flush()
                outcome = "noticed  " if found["noticed"] else "UNNOTICED"
                print(f"{number:3} {outcome} {found['cpu_s']:6.1f} s  {file}:{what['line']}", flush=True)
    for folder, (missed, noticed) in counts.items():
        print(f"{folder}: {noticed} of {noticed + missed} noticed")
    print("Do the tests that noticed something pass without any change?", flush=True)
    for test in sorted(test for test in noticing if "::" in test):
        if (found := run([test], args.timeout))["noticed"]:
            print(f"WRONG: {test} fails without any change: {found['said']}")


Mutant = tuple[str, str, dict, str]  # folder, file, what was done, the file's new text


def draw(folder: str, seed: int, skip: str) -> Iterator[Mutant]:
    """All mutants of the files in a folder, one a place, in random order: always the same for the same files and seed."""
    from cosmic_ray.mutating import mutate_code

    places = defaultdict(list)
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path.name != "__init__.py" and not fnmatch(path.name, skip):
            file = path.relative_to(ROOT).as_posix()
            for place, operator, occurrence in changes(path.read_text(encoding="utf-8")):
                places[file, place].append((operator, occurrence))
    random_ = random.Random(f"{seed} {folder}")
    for file, place in random_.sample(sorted(places), len(places)):
        operator, occurrence = random_.choice(places[file, place])
        source = (ROOT / file).read_text(encoding="utf-8")
        try:
            mutated = mutate_code(source, operator, occurrence)
        except AttributeError:  # Cosmic Ray does not replace exceptions with dotted names
            continue
        if differs(source, mutated):
            what = {"line": place[0][0], "operator": type(operator).__name__, "diff": difference(source, mutated)}
            yield folder, file, what, mutated


def differs(source: str, mutated: str) -> bool:
    """Whether a mutant is a program, and another one."""
    try:
        return ast.dump(ast.parse(source)) != ast.dump(ast.parse(mutated))
    except SyntaxError:
        return False


def named() -> Iterator[Mutant]:
    """The mutants in `NAMED`. Raises `ValueError` for one whose text is no longer there."""
    for file, old, new in NAMED:
        source = (ROOT / file).read_text(encoding="utf-8")
        if old not in source:
            raise ValueError(f"{file} has no longer {old!r}: mend NAMED")
        mutated = source.replace(old, new, 1)
        line = source[: source.index(old)].count("\n") + 1
        yield "named", file, {"line": line, "operator": "named", "diff": difference(source, mutated)}, mutated


# The kinds of nodes that operators look at, for speed.
CHANGEABLE = {
    "operator",
    "keyword",
    "number",
    "comparison",
    "not_test",
    "factor",
    "except_clause",
    "for_stmt",
    "decorator",
}
CHANGEABLE |= {"simple_stmt", "test", "if_stmt", "while_stmt", "assert_stmt"}
PUNCTUATION = set(",.()[]{}:=")


def changes(source: str) -> Iterator[tuple[tuple, object, int]]:
    """All that can be changed: `(place, operator, occurrence)`. Annotations are left out, nothing reads them."""
    import cosmic_ray.plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    skipped = list(annotations(source))
    operators = [cosmic_ray.plugins.get_operator(name) for name in cosmic_ray.plugins.operator_names()]
    nodes = [node for node in ast_nodes(get_ast(source)) if node.type in CHANGEABLE]
    nodes = [node for node in nodes if getattr(node, "value", None) not in PUNCTUATION]
    for operator in [*(kind() for kind in operators if not kind.arguments()), statement_remover()]:
        places = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, place in enumerate(places):
            if not any(start <= place[0] and place[1] <= end for start, end in skipped):
                yield place, operator, occurrence


def annotations(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations stand: `((line, column), (line, column))`."""
    for node in ast.walk(ast.parse(source)):
        for field in ("annotation", "returns"):
            if (found := getattr(node, field, None)) is not None:
                yield (found.lineno, found.col_offset), (found.end_lineno, found.end_col_offset)


def statement_remover():
    """An operator as Cosmic Ray's own: puts `pass` in the place of an assignment, a call or a `raise` within a function."""
    import parso
    from cosmic_ray.operators.operator import Operator
    from parso.python.tree import search_ancestor

    class StatementRemover(Operator):
        def mutation_positions(self, node):
            if node.type == "simple_stmt" and search_ancestor(node, "funcdef") is not None:
                statement = node.children[0]
                if statement.type in ("expr_stmt", "raise_stmt", "atom_expr"):
                    yield statement.start_pos, statement.end_pos

        def mutate(self, node, index):
            prefix = node.get_first_leaf().prefix
            return parso.parse(f"{prefix}pass\n").children[0]

        @classmethod
        def examples(cls):
            return ()

    return StatementRemover()


def difference(old: str, new: str) -> str:
    """The lines that differ: `- old`, `+ new`."""
    import difflib

    return "\n".join(x for x in difflib.ndiff(old.splitlines(), new.splitlines()) if x[0] in "-+")


def order_of(known: mutation_map.Map, file: str, line: int, most: int | None) -> mutation_map.Order:
    """The order of tests for a change to a line of a file; those of its tests that were never recorded are recorded now."""
    for test_file, found in known.unknown(tests_of(file)).items():
        in_a_fork(mutation_map.record, ROOT, FOLDERS, test_file, found)
    known.unknown(tests_of(file))
    return known.order(file, (ROOT / file).read_text(encoding="utf-8"), line, most)


def run(
    tests: list[str],
    timeout: float,
    order: mutation_map.Order | None = None,
    change: tuple[str, str] | None = None,
) -> dict:
    """Run tests with the text of a file replaced, `change`; returns whether one failed, which, and the seconds it took."""
    path, mutated = (ROOT / change[0], change[1]) if change else (None, None)
    original = path and path.read_bytes()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile("w+") as output:
        try:
            if path:
                path.write_text(mutated, encoding="utf-8")
            failed = in_a_fork(run_tests, tests, timeout, order, output, limit=20 * timeout)
        finally:
            if path:
                path.write_bytes(original)
        output.seek(0)
        said = output.read().strip().splitlines() or [""]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = next((line for line in said if line.startswith(("FAILED", "ERROR"))), said[-1])
    return {"noticed": failed, "said": said[:300], "cpu_s": round(cpu, 1)}


def in_a_fork(function: Callable, *arguments: object, limit: float | None = None) -> bool:
    """Call a function in a fork of this process, which has imported the libraries but nothing of the project; True if it failed."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    process.join(limit)
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode != 0


def run_tests(tests: list[str], timeout: float, order: mutation_map.Order | None, output: IO[str]) -> None:
    """In a process of its own: runs pytest until the first failure, for at most `timeout` seconds of this process's CPU."""
    import pytest

    os.setpgrp()
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(timeout), int(timeout)))
    options = [
        "-x",
        "-q",
        "-n0",
        "--timeout=0",
        "--hypothesis-seed=0",
        "--no-header",
        "--tb=no",
        "-p",
        "no:cacheprovider",
    ]
    os._exit(pytest.main([*options, *tests], plugins=[order] if order else []))


def import_libraries() -> None:
    """Import what most tests need, once for all mutants."""
    os.chdir(ROOT)
    for name, value in {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}.items():
        os.environ.setdefault(name, value)
    sys.dont_write_bytecode = True  # two mutants of a file may be of the same second and size
    for name in LIBRARIES:
        importlib.import_module(name)
    loaded = [name for name in sys.modules if name.split(".")[0] == "codefuse_hf"]
    assert not loaded, f"would not be mutated: {loaded}"


if __name__ == "__main__":
    main()
