"""Train a small code-search model from nothing, on this machine, and measure it honestly.

Mines (description → function) pairs from the installed Python packages, holds out whole packages, trains the same small
decoder with three poolings (CGE's attention pooling, mean, last token), each for the same time or number of steps, and
compares them on the held-out packages with BM25, and with BM25 and the model fused: mean reciprocal rank and recall@10 of
finding a function by its description among all the functions of those packages. Descriptions are removed from the functions.

    python examples/cge_train_from_scratch.py --minutes 7 --output ./cge-small

With `--languages` other languages' comments before functions are mined too, and with `--start-from` a model that was made so goes on learning.

Writes the best model as a self-contained sentence-transformers folder (fp16), and the figures as JSON and Markdown.

The recipe: one decoder layer (with so little training, width pays more than depth); each batch from one package, whose
functions are harder to tell apart than any others; InfoNCE in both directions, description → function and back.
"""

import argparse
import json
import math
import platform
import random
import sysconfig
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

import bm25s
import torch
from datasets import Dataset, DatasetDict
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer import losses
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast, set_seed

from codefuse_hf import CGEModel
from codefuse_hf.metrics.ranking import mean_over_queries, recall, reciprocal_rank
from codefuse_hf.modeling.cge.sentence_transformers_cge import CGETransformer, to_sentence_transformer
from codefuse_hf.search.fusion import reciprocal_rank_fusion
from codefuse_hf.training.code_pairs import CodePair, hold_out, mine_code_pairs

_PATHS = ("output", "corpus", "hold_out", "results", "start_from")
HELD_OUT = ("networkx", "jinja2", "click", "packaging", "joblib", "fsspec")
# Identifiers fall into words, so that `getFileName`, `get_file_name` and "get file name" look alike.
SPLIT_IDENTIFIERS = normalizers.Sequence(
    [
        normalizers.NFKC(),
        normalizers.Replace(Regex("(?<=[a-z0-9])(?=[A-Z])"), " "),
        normalizers.Replace("_", " "),
        normalizers.Lowercase(),
    ]
)


def train_tokenizer(pairs: list[CodePair], vocab_size: int) -> PreTrainedTokenizerFast:
    """A BPE tokenizer over words and parts of identifiers, trained on the training pairs only."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = SPLIT_IDENTIFIERS
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=["<pad>", "<unk>", "<eos>"], min_frequency=3)
    tokenizer.train_from_iterator((text for pair in pairs for text in (pair.query, pair.code)), trainer)
    # Every text ends with <eos>: the token whose state the last-token pooling reads.
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>", padding_side="right"
    )


def new_model(tokenizer: PreTrainedTokenizerFast | None, pooling: str, args: argparse.Namespace) -> SentenceTransformer:
    """A CGE with the given pooling on a small Llama with random weights, the same for every pooling; or the one to go on from."""
    set_seed(args.seed)
    if args.start_from is not None:
        module = CGETransformer.load(str(args.start_from), local_files_only=True, model_kwargs={"dtype": "float32"})
        return to_sentence_transformer(module.model, module.tokenizer, prompts={"query": "", "document": ""})
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=args.hidden_size,
        intermediate_size=args.hidden_size,
        num_hidden_layers=args.layers,
        num_attention_heads=args.hidden_size // 64,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    backbone = LlamaModel(config)
    model = CGEModel.from_backbone(backbone, embedding_method=pooling, inf_seq_length=args.max_length)
    return to_sentence_transformer(model, tokenizer, prompts={"query": "", "document": ""})


def by_package(pairs: list[CodePair], batch_size: int) -> DatasetDict:
    """A data set per package, packages smaller than a batch together: batches are drawn from one of them at a time."""
    sizes = Counter(pair.package for pair in pairs)
    grouped: dict[str, list[CodePair]] = {}
    for pair in pairs:
        name = pair.package if sizes[pair.package] >= batch_size else "small packages"
        grouped.setdefault(name, []).append(pair)
    return DatasetDict(
        {
            name: Dataset.from_dict({"query": [p.query for p in group], "code": [p.code for p in group]})
            for name, group in grouped.items()
        }
    )


def choose(pairs: list[CodePair], args: argparse.Namespace) -> list[CodePair]:
    """The pairs for training: descriptions of at most `args.max_words`, and at most `args.most` of a package."""
    seen: Counter[str] = Counter()
    chosen = []
    for i in random.Random(args.seed).sample(range(len(pairs)), len(pairs)):
        if len(pairs[i].query.split()) <= args.max_words:
            seen[pairs[i].package] += 1
            if args.most is None or seen[pairs[i].package] <= args.most:
                chosen.append(i)
    return [pairs[i] for i in sorted(chosen)]


def train(model: SentenceTransformer, pairs: list[CodePair], args: argparse.Namespace) -> dict[str, float]:
    """Contrastive training with in-batch negatives (InfoNCE), for `args.steps` steps or about `args.minutes` minutes."""
    data = by_package(pairs, args.batch_size)
    if args.bf16:
        model[0].model.set_attn_implementation("eager")  # its gradient is faster than that of SDPA on CPUs in bfloat16
    loss = losses.MultipleNegativesRankingLoss(
        model, scale=20.0, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )

    def run(steps: int, learning_rate: float) -> float:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(args.output / "trainer"),
            max_steps=steps,
            per_device_train_batch_size=args.batch_size,
            learning_rate=learning_rate,
            warmup_steps=max(1, steps // 10),
            lr_scheduler_type="cosine",
            weight_decay=0.01,
            adam_beta2=0.98,
            batch_sampler="no_duplicates",
            multi_dataset_batch_sampler="proportional",
            logging_steps=25,
            save_strategy="no",
            report_to="none",
            bf16=args.bf16,
            use_cpu=args.bf16 and not torch.cuda.is_available(),
            seed=args.seed,
        )
        trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss)
        start = time.perf_counter()
        trainer.train()
        return time.perf_counter() - start

    steps = args.steps
    if steps is None:
        trial = run(5, 0.0)  # at learning rate 0: how long does a step take here?
        steps = max(10, int(args.minutes * 60 / (trial / 5)))
    seconds = run(steps, args.learning_rate)
    return {"steps": steps, "seconds": round(seconds, 1), "pairs_seen": steps * args.batch_size}


def rank_with_model(model: SentenceTransformer, pairs: list[CodePair], depth: int) -> list[list[str]]:
    """For each query the indices of the functions, best first."""
    options = {"batch_size": 64, "show_progress_bar": True, "convert_to_tensor": True}
    queries = model.encode_query([pair.query for pair in pairs], **options)
    codes = model.encode_document([pair.code for pair in pairs], **options)
    top = model.similarity(queries, codes).topk(min(depth, len(pairs)), dim=1).indices
    return [[str(i) for i in row] for row in top.tolist()]


def rank_with_bm25(pairs: list[CodePair], depth: int) -> list[list[str]]:
    """The same with BM25 over words and parts of identifiers, stop words removed."""

    def words(texts: list[str]) -> bm25s.tokenization.Tokenized:
        return bm25s.tokenize([SPLIT_IDENTIFIERS.normalize_str(text) for text in texts], show_progress=False)

    index = bm25s.BM25()
    index.index(words([pair.code for pair in pairs]), show_progress=False)
    found, _ = index.retrieve(words([pair.query for pair in pairs]), k=min(depth, len(pairs)), show_progress=False)
    return [[str(i) for i in row] for row in found.tolist()]


def fuse(*rankings: list[str]) -> list[str]:
    """Rankings of one query fused by reciprocal rank, as `codefuse-hf search` does, from the first 100 of each."""
    return [i for i, _ in reciprocal_rank_fusion([ranking[:100] for ranking in rankings])]


def measure(rankings: list[list[str]]) -> dict[str, float]:
    """MRR (over the first 1000) and recall@10; each query has one right answer."""
    relevant = [[str(i)] for i in range(len(rankings))]
    return {
        "mrr": round(mean_over_queries(reciprocal_rank, rankings, relevant, 1000), 4),
        "recall@10": round(mean_over_queries(recall, rankings, relevant, 10), 4),
    }


def write_results(args: argparse.Namespace, results: dict, sizes: dict) -> None:
    """The figures as JSON and as a Markdown table, with what they depend on."""
    facts = {
        "results": results,
        **sizes,
        "held_out_packages": sorted(args.hold_out),
        "settings": {k: v for k, v in vars(args).items() if k not in _PATHS},
        "versions": {
            name: metadata.version(name) for name in ("torch", "transformers", "sentence-transformers", "bm25s")
        },
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}, no GPU",
    }
    target = args.results or args.output / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(facts, indent=2) + "\n")
    rows = ["| method | MRR | recall@10 |", "| --- | --- | --- |"]
    for name, figures in sorted(results.items(), key=lambda item: -item[1]["mrr"]):
        rows.append(f"| {name} | {figures['mrr']:.3f} | {figures['recall@10']:.3f} |")
    target.with_suffix(".md").write_text("\n".join(rows) + "\n")
    print("\n" + "\n".join(rows) + f"\n\nFigures: {target}")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("cge-small"), help="folder for the model")
    parser.add_argument("--results", type=Path, help="file for the figures (default: OUTPUT/results.json)")
    parser.add_argument("--minutes", type=float, default=6.0, help="training time of each of the three models")
    parser.add_argument(
        "--steps", type=int, help="this many steps instead, so that a slow machine gives the same result"
    )
    parser.add_argument("--corpus", type=Path, nargs="*", help="folders to mine (default: the installed packages)")
    parser.add_argument("--languages", nargs="*", default=["python"], help="languages to mine")
    parser.add_argument("--start-from", type=Path, help="a model that this example wrote: go on with it (one pooling)")
    parser.add_argument("--hold-out", nargs="*", default=list(HELD_OUT), help="packages for the evaluation only")
    parser.add_argument("--poolings", nargs="*", default=["pma", "mean", "last"])
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--vocab-size", type=int, default=12_000)
    parser.add_argument("--max-length", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--max-words", type=int, default=60, help="leave longer descriptions out of training")
    parser.add_argument("--most", type=int, help="at most so many pairs of a package, drawn at random, for training")
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16, twice as fast on CPUs that know it")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict:
    args = parse_arguments(argv)
    corpus = args.corpus or [Path(sysconfig.get_path("purelib"))]
    training, held = hold_out(mine_code_pairs(corpus, languages=args.languages), args.hold_out)
    training = choose(training, args)
    print(f"{len(training)} pairs for training, {len(held)} of {', '.join(sorted(args.hold_out))} held out")
    tokenizer = train_tokenizer(training, args.vocab_size) if args.start_from is None else None
    depth = 1000
    by_words = rank_with_bm25(held, depth)
    results = {"BM25": measure(by_words)}
    best = None
    for pooling in args.poolings:
        model = new_model(tokenizer, pooling, args)
        record = train(model, training, args)
        name = {"pma": "CGE (attention pooling)", "mean": "mean pooling", "last": "last-token pooling"}.get(
            pooling, pooling
        )
        ranked = rank_with_model(model, held, depth)
        results[name] = {**measure(ranked), **record}
        results[f"{name} + BM25"] = measure([fuse(*both) for both in zip(ranked, by_words, strict=True)])
        print(name, results[name])
        if best is None or results[name]["mrr"] > best[0]:
            best = (results[name]["mrr"], name, model)
    parameters = sum(p.numel() for p in best[2].parameters())
    sizes = {"training_pairs": len(training), "held_out_pairs": len(held), "parameters": parameters}
    best[2].half().save_pretrained(str(args.output))
    write_results(args, results, {**sizes, "saved": best[1]})
    assert math.isfinite(best[0])
    return results


if __name__ == "__main__":
    main()
