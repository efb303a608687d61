"""Speed of CGM's own parts, each beside a straightforward version of the same thing. One thread, CPU seconds.

    python benchmarks/cgm_speed.py --output benchmarks/results/cgm_speed.json [--nodes 2000 --tokens 4000]

- building: segments' adjacency and mask of 10 000 nodes and 50 000 edges, vectorised against Python loops;
- encoding: 2 000 nodes in batches by length against one by one;
- prefill: N nodes and L tokens, time and peak memory for each attention implementation (flex on a GPU only);
- decoding: a step after nodes against a step of the plain language model at the same length, interleaved.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import transformers
from transformers import BertConfig, DynamicCache, Qwen2Config

from codefuse_hf import CGMConfig, CGMForCausalLM
from codefuse_hf.modeling.cgm.mask_cgm import adjacency_of_edges, node_rows
from codefuse_hf.modeling.cgm.segments_cgm import GraphSegments, cut_segments


def cpu_seconds(function, repeats: int = 3) -> tuple[float, object]:
    """The least CPU seconds of some calls, and what the last returned."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return min(seconds), result


# --- building ---------------------------------------------------------------------------------------------------------


def random_graph(nodes: int, edges: int, seed: int = 0) -> GraphSegments:
    """A graph whose nodes have 1 to 3 segments."""
    rng = np.random.default_rng(seed)
    texts = ["x" * int(size) for size in rng.integers(1, 12, nodes)]
    return cut_segments(texts, rng.integers(0, nodes, (2, edges)), lambda text: [1] * len(text), segment_length=4)


def adjacency_by_loops(segments: GraphSegments) -> np.ndarray:
    """Every edge, every pair of segments, one cell at a time."""
    size = len(segments)
    adjacency = np.zeros((size, size), bool)
    ranges = [range(a, b) for a, b in zip(segments.node_offsets[:-1], segments.node_offsets[1:], strict=True)]
    for source, target in segments.edges.T.tolist():
        for i in ranges[source]:
            for j in ranges[target]:
                adjacency[i, j] = True
    for own in ranges:
        for i in own:
            for j in own:
                if i != j:
                    adjacency[i, j] = True
    return adjacency


def mask_by_loops(adjacency: np.ndarray, prompt: int, rows: int) -> np.ndarray:
    """The first `rows` rows of the node rows, one cell at a time (all of them would take minutes)."""
    size = len(adjacency)
    mask = np.zeros((rows, size + prompt), bool)
    for i in range(rows):
        for j in range(size + prompt):
            mask[i, j] = j >= size or adjacency[i, j]
    return mask


def measure_building(nodes: int = 10_000, edges: int = 50_000, prompt: int = 100) -> dict:
    segments = random_graph(nodes, edges)
    size = len(segments)
    edges_seconds, pairs = cpu_seconds(segments.adjacency_coo)
    loops_seconds, expected = cpu_seconds(lambda: adjacency_by_loops(segments), repeats=1)
    edge_index = torch.from_numpy(np.stack(pairs))[None]

    def dense_rows() -> torch.Tensor:
        adjacency = adjacency_of_edges(edge_index, 1, size)
        everything = torch.ones(1, max(size, prompt), dtype=torch.bool)
        return node_rows(adjacency, everything[:, :prompt], everything[:, :size], everything[:, :prompt])

    rows_seconds, rows = cpu_seconds(dense_rows)
    assert np.array_equal(rows[0, :, :size].numpy() & ~np.eye(size, dtype=bool), expected & ~np.eye(size, dtype=bool))
    some = 200
    some_seconds, checked = cpu_seconds(lambda: mask_by_loops(expected, prompt, some), repeats=1)
    assert np.array_equal(rows[0, :some].numpy(), checked)
    mask_loops = some_seconds * size / some
    return {
        "nodes": nodes,
        "edges": edges,
        "segments": size,
        "pairs of segments": len(pairs[0]),
        "adjacency, sparse (s)": edges_seconds,
        "adjacency, Python loops (s)": loops_seconds,
        "adjacency, times faster": loops_seconds / edges_seconds,
        "mask, dense, from sparse edges (s)": rows_seconds,
        "mask, Python loops (s, from 200 rows)": mask_loops,
        "adjacency and mask, times faster": (loops_seconds + mask_loops) / (edges_seconds + rows_seconds),
    }


# --- encoding ---------------------------------------------------------------------------------------------------------


def measure_encoding(nodes: int = 2000) -> dict:
    encoder = BertConfig(hidden_size=128, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4)
    model = CGMForCausalLM(
        CGMConfig(small_text_config(), encoder, encoder_pooling="mean", adapter_hidden_dim=64)
    ).eval()
    rng = np.random.default_rng(0)
    lengths = np.minimum(512, rng.lognormal(3.5, 1.0, nodes).astype(int) + 1)
    segments = [rng.integers(1, 30_000, size).tolist() for size in lengths]
    batched, vectors = cpu_seconds(lambda: model.encode_segments(segments), repeats=2)
    single, rows = cpu_seconds(lambda: [model.encode_segments([segment]) for segment in segments], repeats=1)
    assert torch.allclose(torch.cat(rows), vectors, atol=1e-5)
    repeated = segments[: nodes // 2] * 2
    again, _ = cpu_seconds(lambda: model.encode_segments(repeated), repeats=2)
    return {
        "nodes": nodes,
        "tokens": int(lengths.sum()),
        "encoder": "BERT, 4 layers, width 128",
        "batched by length (s)": batched,
        "one by one (s)": single,
        "times faster": single / batched,
        "each node twice, same number of nodes (s)": again,
    }


# --- prefill and decoding ---------------------------------------------------------------------------------------------


def small_text_config(**changes) -> Qwen2Config:
    settings = {
        "vocab_size": 32_000,
        "hidden_size": 256,
        "intermediate_size": 688,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 16_384,
    }
    return Qwen2Config(**{**settings, **changes})


def make_inputs(nodes: int, tokens: int, width: int, device: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "input_ids": torch.randint(0, 32_000, (1, tokens), generator=generator).to(device),
        "node_embeddings": torch.randn(1, nodes, width, generator=generator).to(device),
        "edge_index": torch.randint(0, nodes, (1, 2, 5 * nodes), generator=generator).to(device),
    }


def prefill(implementation: str, nodes: int, tokens: int, device: str, graph: bool) -> dict:
    """Time and peak memory of one prefill, in this process alone."""
    torch.manual_seed(0)
    model = CGMForCausalLM(CGMConfig(small_text_config(), attn_implementation=implementation, adapter_hidden_dim=512))
    model = model.to(device).eval()
    inputs = make_inputs(nodes, tokens, model.config.embedding_dim, device)
    if not graph:  # the language model alone at the same length
        inputs = {"input_ids": torch.randint(0, 32_000, (1, nodes + tokens), device=device)}
    on_gpu = device != "cpu"
    with torch.no_grad():
        small = make_inputs(8, 8, model.config.embedding_dim, device)
        model(**small, logits_to_keep=1)
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        before = torch.cuda.memory_allocated() if on_gpu else peak_bytes()
        start = time.perf_counter() if on_gpu else time.process_time()
        model(**inputs, logits_to_keep=1, use_cache=False)
        if on_gpu:
            torch.cuda.synchronize()
        seconds = (time.perf_counter() if on_gpu else time.process_time()) - start
    after = torch.cuda.max_memory_allocated() if on_gpu else peak_bytes()
    return {"seconds": seconds, "peak memory above the model's (MB)": (after - before) / 1e6}


def peak_bytes() -> int:
    """Peak of resident memory since it was last reset."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def measure_prefill(nodes: int, tokens: int, device: str) -> dict:
    """Each in a process of its own, so that peaks are those of one run."""
    found = {"nodes": nodes, "tokens": tokens, "model": "Qwen2, 4 layers, width 256", "device": device}
    implementations = ["sdpa", "eager"] + (["flex_attention"] if device != "cpu" else [])
    for implementation in implementations:
        for graph in (True, False):
            command = [sys.executable, __file__, "--prefill", implementation, "--nodes", str(nodes)]
            command += ["--tokens", str(tokens), "--device", device] + ([] if graph else ["--no-graph"])
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
            name = implementation if graph else f"{implementation}, language model alone at this length"
            found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_decoding(nodes: int, tokens: int, steps: int = 60) -> dict:
    """Steps after nodes and text, and of the plain language model after as many tokens, in turn."""
    torch.manual_seed(0)
    model = CGMForCausalLM(CGMConfig(small_text_config(), adapter_hidden_dim=512)).eval()
    inputs = make_inputs(nodes, tokens, model.config.embedding_dim, "cpu")
    times: dict[str, list[float]] = {"after nodes": [], "plain": []}
    with torch.no_grad():
        caches = {name: DynamicCache(config=model.config.text_config) for name in times}
        model(**inputs, past_key_values=caches["after nodes"], logits_to_keep=1)
        model.lm(torch.randint(0, 32_000, (1, nodes + tokens)), past_key_values=caches["plain"], logits_to_keep=1)
        token = torch.tensor([[5]])
        for step in range(steps):
            order = list(times) if step % 2 else list(times)[::-1]
            for name in order:
                runner = model if name == "after nodes" else model.lm
                start = time.process_time()
                runner(input_ids=token, past_key_values=caches[name])
                times[name].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = [a / b for a, b in zip(times["after nodes"], times["plain"], strict=True)]
    return {
        "length": nodes + tokens,
        "steps": steps,
        "after nodes (s)": medians["after nodes"],
        "plain language model (s)": medians["plain"],
        "ratio of medians": medians["after nodes"] / medians["plain"],
        "median of paired ratios": statistics.median(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--prefill", help=argparse.SUPPRESS)
    parser.add_argument("--no-graph", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.prefill:
        result = prefill(arguments.prefill, arguments.nodes, arguments.tokens, arguments.device, not arguments.no_graph)
        print(json.dumps(result))
        return
    results = {
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
        "threads": 1,
        "load average at the start": os.getloadavg()[0],
        "building": measure_building(),
        "encoding": measure_encoding(),
        "decoding": measure_decoding(arguments.nodes, arguments.tokens),
        "prefill": measure_prefill(arguments.nodes, arguments.tokens, arguments.device),
    }
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
