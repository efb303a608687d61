"""What CGE's pooling costs: encode throughput beside the bare backbone with sentence-transformers' own mean pooling.

Both models have the same backbone (same weights), tokenizer, batch size and texts: functions of the standard library, of
very uneven length. The runs are interleaved and repeated in one process; the figure is the median of the ratios of
neighbouring runs. Also: which part of a forward pass over full-length texts the pooling takes.

    python benchmarks/cge_encode.py

Times are of processor time (which other processes disturb less) and of wall time. Writes
`benchmarks/results/cge_encode.json`.
"""

import argparse
import ast
import inspect
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tqdm.auto import tqdm
from transformers import AutoModel, PreTrainedTokenizerFast, Qwen2Config

from codefuse_hf import CGEModel, to_sentence_transformer

RESULTS = Path(__file__).parent / "results" / "cge_encode.json"


def stdlib_functions(limit: int) -> list[str]:
    """Source texts of functions of the standard library."""
    functions = []
    for file in sorted(Path(inspect.getfile(ast)).parent.glob("*.py")):
        source = file.read_text(encoding="utf-8", errors="ignore")
        functions += [(source, node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    step = max(1, len(functions) // limit)
    return [ast.get_source_segment(*each) for each in functions[::step][:limit]]


def train_tokenizer(texts: list[str], vocab_size: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")


def build_models(args: argparse.Namespace, tokenizer: PreTrainedTokenizerFast) -> dict[str, SentenceTransformer]:
    """The same backbone with CGE's attention pooling and, bare, with sentence-transformers' mean pooling."""
    torch.manual_seed(0)
    config = Qwen2Config(
        hidden_size=args.hidden_size,
        intermediate_size=args.hidden_size * 11 // 4,
        num_hidden_layers=args.layers,
        num_attention_heads=args.hidden_size // 64,
        num_key_value_heads=args.hidden_size // 64,
        vocab_size=len(tokenizer),
        max_position_embeddings=args.tokens,
    )
    with tempfile.TemporaryDirectory() as folder:
        AutoModel.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        bare = Transformer(folder)
        cge = CGEModel.from_backbone(folder, embedding_dim=args.embedding_dim, inf_seq_length=args.tokens)
    bare.max_seq_length = args.tokens
    return {
        "cge": to_sentence_transformer(cge, tokenizer, device="cpu"),
        "bare, mean pooling": SentenceTransformer(
            modules=[bare, Pooling(args.hidden_size, pooling_mode="mean")], device="cpu"
        ),
    }


def measure_encode(embedders: dict[str, SentenceTransformer], texts: list[str], args: argparse.Namespace) -> dict:
    """Seconds of each run; a warm-up run of each comes first."""
    runs = {name: {"cpu_s": [], "wall_s": []} for name in embedders}
    for repeat in tqdm(range(args.repeats + 1), desc="encode"):
        order = list(embedders) if repeat % 2 else list(embedders)[::-1]
        for name in order:
            wall, cpu = time.perf_counter(), time.process_time()
            embedders[name].encode(texts, batch_size=args.batch_size, show_progress_bar=False)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if repeat:
                runs[name]["cpu_s"].append(cpu)
                runs[name]["wall_s"].append(wall)
    return runs


def measure_pooling_share(model: CGEModel, args: argparse.Namespace) -> dict:
    """The pooling's part of the forward passes over a batch of texts of exactly `tokens` tokens."""
    ids = torch.randint(1, model.config.vocab_size, (args.batch_size, args.tokens))
    spent = {"pooling": [], "forward": []}
    times = {}
    before = model.mha_pma.register_forward_pre_hook(lambda *_: times.update(start=time.process_time()))
    after = model.mha_pma.register_forward_hook(lambda *_: times.update(end=time.process_time()))
    with torch.inference_mode():
        for repeat in tqdm(range(args.repeats + 1), desc="pooling share"):
            start = time.process_time()
            model(ids)
            end = time.process_time()
            if repeat:
                spent["forward"].append(end - start)
                spent["pooling"].append(times["end"] - times["start"])
    before.remove()
    after.remove()
    shares = [pooling / forward for pooling, forward in zip(spent["pooling"], spent["forward"], strict=True)]
    return {"share": statistics.median(shares), "shares": shares, "cpu_s": spent}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hidden-size", type=int, default=384)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--embedding-dim", type=int, default=192)
    parser.add_argument("--tokens", type=int, default=512, help="longest input")
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    texts = stdlib_functions(args.texts)
    tokenizer = train_tokenizer(texts, 4000)
    embedders = build_models(args, tokenizer)
    lengths = [min(len(ids), args.tokens) for ids in tokenizer(texts, verbose=False)["input_ids"]]
    runs = measure_encode(embedders, texts, args)
    cge, bare = runs["cge"], runs["bare, mean pooling"]
    ratios = {clock: statistics.median(b / c for b, c in zip(bare[clock], cge[clock], strict=True)) for clock in cge}
    share = measure_pooling_share(embedders["cge"][0].model, args)
    result = {
        "throughput_ratio": {"cpu": ratios["cpu_s"], "wall": ratios["wall_s"], "target": 0.97},
        "pooling_share_of_forward": {**share, "tokens": args.tokens, "target": 0.03},
        "tokens_per_cpu_second": {name: sum(lengths) / statistics.median(run["cpu_s"]) for name, run in runs.items()},
        "runs": runs,
        "texts": {"count": len(texts), "tokens": sum(lengths), "shortest": min(lengths), "longest": max(lengths)},
        "settings": {key: value for key, value in vars(args).items() if key != "output"},
        "backbone_parameters": sum(p.numel() for p in embedders["cge"][0].model.backbone.parameters()),
        "machine": {"cpu": platform.machine(), "cores": os.cpu_count(), "load_average": os.getloadavg()},
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "sentence-transformers": sentence_transformers.__version__,
        },
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"CGE's encode throughput: {ratios['cpu_s']:.3f}× the bare backbone's with mean pooling (processor time;")
    print(
        f"{ratios['wall_s']:.3f}× in wall time); the pooling takes {share['share']:.2%} of a forward pass over {args.tokens} tokens"
    )


if __name__ == "__main__":
    main()
