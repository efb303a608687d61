"""From listed files to facts and nodes per file: reading, decoding and parsing, in worker processes when there is enough to do.

All that can be done with one file alone is done here, so that what workers send back is compact: arrays, mostly.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

from tqdm.auto import tqdm

from codefuse_hf.graph.build.joining import FilePart, file_part
from codefuse_hf.graph.build.options import BuildOptions
from codefuse_hf.graph.build.sources import SourceReader, SourceTree, decode_source, decode_text, has_binary_suffix
from codefuse_hf.graph.languages import front_end, language_of_path
from codefuse_hf.graph.languages.base import TEXT, Definition, FileFacts, Problem
from codefuse_hf.graph.languages.source_text import SourceText

_PARALLEL_FROM = 24  # files; below, starting processes costs more than it saves
_CHUNK = 24


@dataclass(slots=True)
class ExtractedFile:
    """One file after extraction.

    Attributes:
        part: its nodes; None for what is left out (binary, unreadable, too large) and for what is unchanged.
        facts: what resolution needs, without definitions and shrunk; None where `part` is.
        problems: what was wrong, or why the file is left out.
        digest: of the bytes that were read; empty for what was not.
    """

    path: str
    language: str
    part: FilePart | None
    facts: FileFacts | None
    problems: list[Problem]
    digest: bytes = b""


def extract_file(path: str, reader: SourceReader, options: BuildOptions, known: bytes | None = None) -> ExtractedFile:
    """Reads and parses one file; whatever is wrong with it ends up in `problems`. A file whose digest is `known` is not parsed."""
    language = language_of_path(path, options.languages) or TEXT
    result = ExtractedFile(path, language, None, None, [])
    if language == TEXT and (not options.text_files or has_binary_suffix(path)):
        return result
    limit = options.max_textfile_size if language == TEXT else options.max_file_size
    try:
        data, size = reader.read(path, limit)
    except FileNotFoundError:
        result.problems.append(Problem("vanished", "the file was listed but gone when it was read; left out"))
        return result
    except OSError as error:
        result.problems.append(Problem("unreadable", f"left out: {error.strerror or error}"))
        return result
    if data is None:
        result.problems.append(Problem("too-large", f"{size} bytes, more than the limit of {limit}; left out"))
        return result
    result.digest = blake2b(data, digest_size=16).digest()
    if result.digest == known:
        return result
    if language == TEXT:
        text = decode_text(data)
        if text is not None:
            result.facts = FileFacts(path, TEXT, [Definition("Textfile", -1, 0, len(text), {})])
            _make_part(result, SourceText(text))
        return result
    text, note = decode_source(data)
    if note is not None:
        result.problems.append(Problem("encoding", note))
    if "\0" in text:
        result.problems.append(Problem("null-bytes", f"{text.count(chr(0))} null bytes, read as blanks"))
    _parse(result, text)
    return result


def _parse(result: ExtractedFile, text: str) -> None:
    reader = front_end(result.language)
    collecting = gc.isenabled()
    gc.disable()  # facts are no garbage; looking for it in them costs up to half of the time
    source = SourceText(text)
    try:
        facts = result.facts = reader.extract(result.path, source)
        result.problems += facts.problems
        facts.facts = reader.shrink(facts.facts)
    except Exception as error:  # a file must never cost the whole graph
        message = f"{type(error).__name__}: {error}; the file is in the graph without its contents"
        result.problems.append(Problem("internal", message))
        result.facts = FileFacts(result.path, result.language, [Definition("File", -1, 0, len(text), {})])
    finally:
        if collecting:
            gc.enable()
    _make_part(result, source)


def _make_part(result: ExtractedFile, source: SourceText) -> None:
    result.part = file_part(result.facts, source)
    result.facts.definitions = []


_worker: tuple[SourceReader, BuildOptions] | None = None


def _start_worker(root: str, blobs: Mapping[str, str] | None, options: BuildOptions) -> None:
    global _worker
    gc.freeze()  # what the parent left here is neither looked at nor, by being looked at, copied
    gc.set_threshold(100_000, 20, 100)  # trees of tuples are no garbage; the usual thresholds cost a fifth of the time
    _worker = SourceReader(root, blobs), options


def _extract_chunk(files: list[tuple[str, bytes | None]]) -> list[ExtractedFile]:
    reader, options = _worker
    return [extract_file(path, reader, options, known) for path, known in files]


def default_workers() -> int:
    """Counts the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def extract_files(
    tree: SourceTree,
    paths: list[str],
    options: BuildOptions,
    *,
    known: Mapping[str, bytes] = MappingProxyType({}),
) -> Iterator[ExtractedFile]:
    """Extracts `paths` of a source tree, in order.

    Args:
        known: digests by path; files that still have theirs come back with nothing but it.
    """
    workers = default_workers() if options.workers is None else options.workers
    parallel = workers > 1 and len(paths) >= _PARALLEL_FROM and "fork" in multiprocessing.get_all_start_methods()
    files = [(path, known.get(path)) for path in paths]
    with tqdm(total=len(paths), unit="file", desc="Reading source", disable=not options.progress, leave=False) as bar:
        done = 0
        if parallel:
            chunks = [files[i : i + _CHUNK] for i in range(0, len(files), _CHUNK)]
            # Forked, because a spawned process would run the caller's script again.
            context = multiprocessing.get_context("fork")
            try:
                with ProcessPoolExecutor(workers, context, _start_worker, (tree.root, tree.blobs, options)) as pool:
                    for extracted in pool.map(_extract_chunk, chunks):
                        for file in extracted:
                            done += 1
                            bar.update()
                            yield file
            except BrokenProcessPool:
                pass  # a worker was killed (memory, most often): go on here, one file at a time
        with SourceReader(tree.root, tree.blobs) as reader:
            for path, digest in files[done:]:
                yield extract_file(path, reader, options, digest)
                bar.update()
