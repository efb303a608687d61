"""The segments of a graph's node sentences. How they are cut stands in `modeling.cgm.segments_cgm`."""

from collections.abc import Iterable

from codefuse_hf.graph.cgm.sentences import node_sentences
from codefuse_hf.graph.code_graph import CodeGraph
from codefuse_hf.modeling.cgm.segments_cgm import GraphSegments, Tokenizer, cut_segments

__all__ = ["GraphSegments", "segment_graph"]


def segment_graph(
    graph: CodeGraph,
    tokenizer: Tokenizer,
    segment_length: int = 512,
    *,
    repo_name: str | None = None,
    edge_types: str | Iterable[str] | None = None,
    max_segments_per_node: int | None = None,
) -> GraphSegments:
    """Tokenises the sentences of a graph and cuts them into segments.

    Args:
        tokenizer: a transformers tokenizer, or a function from a text to its token ids.
        segment_length: tokens per segment; CGM's encoder takes 512.
        repo_name: the sentence of the Repo node, see `sentences.node_sentence`.
        edge_types: the edges that make the adjacency, all by default.
        max_segments_per_node: cuts longer sentences off; a generated file of 10 MB has thousands of segments, which
            all see each other. None keeps everything.
    """
    return cut_segments(
        node_sentences(graph, repo_name=repo_name),
        graph.edge_index(edge_types),
        tokenizer,
        segment_length,
        max_segments_per_node,
    )
