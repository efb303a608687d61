"""The code graph of a repository: made from source, asked, shown, and handed to CGM.

A graph holds the repository, its packages, files, classes, functions, attributes and lambdas as nodes, each with its
source and its place; containment makes one tree of them, and imports, inheritance, calls and references run across it.
The schema is that of the published `codefuse-ai/CodeGraph` data sets, which CGM (arXiv 2505.16901) was trained on.

    >>> from codefuse_hf.graph import build_code_graph
    >>> graph = build_code_graph("path/to/repository")
    >>> [graph[caller].qualified_name for caller in graph.neighbors(graph.find("Engine.run")[0], "calls", "in")]

How a graph is made, in three steps:

1. *extract*, one file at a time and in parallel (`languages/<language>/reading/`, on trees that `languages/tree_sitter.py` parses): the
   definitions of the file with their places, and the facts that resolution needs (imports, names, calls). Plain data:
   it crosses process borders and is cached, so that after a change only the changed files are parsed again.
2. *resolve*, over all files of a language (also in its front end): names to definitions, through scopes, imports and the
   class hierarchy; gives the edges that cross the tree.
3. *assemble* (`build/builder.py`, `build/joining.py`): packages and files, ids in pre-order of the sorted paths, texts as slices
   of their file, edges as sorted arrays: a `CodeGraph`, the same bytes for the same source.

`build/sources.py` finds and reads files (of a folder, a list, a git revision) and decodes them; `code_graph.py` answers
questions; `formats/` carries graphs to and from JSON, networkx and Hugging Face data sets;
`cgm/` makes what CGM's encoder reads; `formats/page/` draws a page to look at.

A language is added by adding a folder to `languages/`: see `languages/base.py`.
"""

from ..lazy_names import lazy_names

_PUBLIC_NAMES = {
    "CodeGraph": "code_graph",
    "Node": "node",
    "NodeType": "schema",
    "EdgeType": "schema",
    "Language": "schema",
    "Diagnostic": "schema",
    "build_code_graph": "build.builder",
    "GraphBuilder": "build.builder",
    "node_sentence": "cgm.sentences",
    "node_sentences": "cgm.sentences",
    "GraphSegments": "cgm.segments",
    "segment_graph": "cgm.segments",
    "to_networkx": "formats.networkx",
    "from_networkx": "code_graph",
    "to_dataset": "formats.tables",
    "from_dataset": "code_graph",
    "save_page": "formats.page.render",
}

__getattr__, __dir__, __all__ = lazy_names(__name__, _PUBLIC_NAMES)
