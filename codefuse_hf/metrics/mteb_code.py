"""MTEB's code benchmark in one line, for machines that may download it."""

import os
from typing import Any

BENCHMARK = "MTEB(Code, v1)"


def run_mteb_code(
    model: Any,
    *,
    benchmark: str = BENCHMARK,
    tasks: list[str] | None = None,
    output_folder: str | os.PathLike | None = None,
    trust_remote_code: bool = False,
    **kwargs,
):
    """Evaluate an embedding model on MTEB-Code (nDCG@10); needs the package `mteb` and access to the Hugging Face Hub.

    Args:
        model: a sentence-transformers model, or the name or folder of one.
        benchmark: the benchmark's name in mteb.
        tasks: only these of its tasks.
        output_folder: where mteb keeps its results, so that an interrupted run goes on.
        trust_remote_code: for a model given by name: run the code that its folder carries.
        kwargs: further arguments of `mteb.evaluate`.

    Returns:
        mteb's `ModelResult`; `.to_dataframe()` gives the table.

    Raises:
        ImportError: `mteb` is not installed.
        ValueError: a task that the benchmark does not have.
    """
    try:
        import mteb
    except ImportError as error:
        raise ImportError("MTEB needs the package mteb: pip install 'mteb>=2'") from error
    if isinstance(model, str | os.PathLike):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(os.fspath(model), trust_remote_code=trust_remote_code)
    chosen = list(mteb.get_benchmark(benchmark).tasks)
    if tasks is not None:
        names = [task.metadata.name for task in chosen]
        unknown = sorted(set(tasks) - set(names))
        if unknown:
            raise ValueError(f"{benchmark} has no task {unknown[0]!r}: expected some of {', '.join(names)}")
        chosen = [task for task in chosen if task.metadata.name in tasks]
    if output_folder is not None:
        kwargs["cache"] = mteb.ResultCache(os.fspath(output_folder))
    return mteb.evaluate(model, chosen, **kwargs)
