"""Fine-tune a code embedding model with LoRA, merge the adapters and save a folder that loads anywhere.

    python examples/cge_finetune_lora.py Qwen/Qwen2.5-Coder-0.5B pairs.jsonl --output ./my-code-embedder

`pairs.jsonl` has one JSON object per line: `anchor` (a description), `positive` (the code) and, if there are any,
`negative` (code that looks right but is not). A folder of a saved CGE model is fine-tuned further; any other language
model gets a fresh pooling, which is trained as a whole beside the adapters.
"""

import argparse
import json
from pathlib import Path

from datasets import load_dataset
from peft import LoraConfig
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss, MatryoshkaLoss
from transformers import AutoTokenizer

from codefuse_hf import CGEModel, to_sentence_transformer


def load_embedder(name: str, embedding_dim: int | None, trust: bool) -> tuple[SentenceTransformer, bool]:
    """The model to train, and whether its pooling is fresh."""
    config = Path(name) / "config.json"
    if config.is_file() and json.loads(config.read_text(encoding="utf-8")).get("model_type") == "cge":
        return SentenceTransformer(name, trust_remote_code=trust), False
    model = CGEModel.from_backbone(name, embedding_dim=embedding_dim)
    return to_sentence_transformer(model, AutoTokenizer.from_pretrained(name)), True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a language model or a CGE model: folder or repository")
    parser.add_argument("pairs", help="JSON lines with anchor, positive and perhaps negative")
    parser.add_argument("--output", default="cge-finetuned")
    parser.add_argument("--embedding-dim", type=int, help="width of the embedding of a new model")
    parser.add_argument("--language", help="train with this language's prompts: python, java, go, cpp, …")
    parser.add_argument("--batch-size", type=int, default=128, help="pairs that are told apart at a time")
    parser.add_argument("--mini-batch-size", type=int, default=8, help="texts in memory at a time")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--max-steps", type=int, default=-1)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run the code that a CGE model's folder carries"
    )
    args = parser.parse_args()

    embedder, fresh = load_embedder(args.model, args.embedding_dim, args.trust_remote_code)
    embedder.add_adapter(LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", exclude_modules=r".*mha_pma.*"))
    embedder[0].model.mha_pma.requires_grad_(fresh)
    dataset = load_dataset("json", data_files=args.pairs, split="train")
    prefix = f"{args.language}-" if args.language else ""
    query, document = embedder.prompts[f"{prefix}query"], embedder.prompts[f"{prefix}document"]
    width = embedder.get_embedding_dimension()
    # The cached loss compares large batches in little memory; the first half of the vector alone is useful as well.
    loss = CachedMultipleNegativesRankingLoss(embedder, mini_batch_size=args.mini_batch_size)
    trainer = SentenceTransformerTrainer(
        model=embedder,
        args=SentenceTransformerTrainingArguments(
            output_dir=f"{args.output}-checkpoints",
            num_train_epochs=args.epochs,
            max_steps=args.max_steps,
            per_device_train_batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            warmup_steps=0.1,
            bf16=args.bf16,
            prompts={"anchor": query, "positive": document, "negative": document},
            logging_steps=10,
            report_to="none",
        ),
        train_dataset=dataset,
        loss=MatryoshkaLoss(embedder, loss, [width, width // 2]),
    )
    trainer.train()
    embedder[0].model.merge_and_unload()
    embedder.save_pretrained(args.output)
    print(f'{args.output} is ready: SentenceTransformer("{args.output}", trust_remote_code=True)')


if __name__ == "__main__":
    main()
