"""Reads one Python file: parses it, walks over its tree, and goes the deep way where the plain one does not reach."""

from __future__ import annotations

from codefuse_hf.graph.languages import tree_sitter
from codefuse_hf.graph.languages.base import FileFacts, Problem
from codefuse_hf.graph.languages.python.reading.deep import DeepExtractor
from codefuse_hf.graph.languages.python.reading.extract import Extractor
from codefuse_hf.graph.languages.python.reading.splats import blanks_for_stars
from codefuse_hf.graph.languages.python.reading.type_defaults import bounds_for_defaults
from codefuse_hf.graph.languages.source_text import SourceText


def extract_python(path: str, source: SourceText) -> FileFacts:
    """Reads the definitions and the data-flow program of one file."""
    data = source.parser_input
    tree = tree_sitter.parse("python", data)
    if tree.root_node.has_error and (readable := bounds_for_defaults(data)) is not data:
        tree = tree_sitter.parse("python", readable)
    if tree.root_node.has_error and (readable := blanks_for_stars(data)) is not data:
        tree = tree_sitter.parse("python", bounds_for_defaults(readable))
    problems = []
    error = tree_sitter.first_error(tree)
    if error is not None:
        line = source.line(source.char(error[0]))
        problems.append(Problem("syntax", f"syntax {error[1]}: the parts around it are in the graph", line))
    clean = not tree.root_node.has_error
    extractor = Extractor(source, clean)
    try:
        extractor.visit(tree.root_node)
    except RecursionError:
        extractor = DeepExtractor(source, clean)
        extractor.visit(tree.root_node)
        problems += extractor.problems()
    del tree
    extractor.leading, extractor.following = [], None  # these hold the tree, which is larger than what is made of it
    tree_sitter.give_back_memory(source)
    found = FileFacts(path, "python", extractor.definitions, extractor.finish(), problems)
    extractor.__dict__.clear()  # scopes know their extractor: without the circle they and the tree go at once
    return found
