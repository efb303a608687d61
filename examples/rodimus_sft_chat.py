"""Supervised fine-tuning of a Rodimus model on conversations, with TRL's `SFTTrainer`.

    python examples/rodimus_sft_chat.py codefuse-ai/Rodimus-Plus-Coder-1.6B-Base --data conversations.jsonl --output chat-model

Each line of the data is `{"messages": [{"role": "user", "content": …}, {"role": "assistant", "content": …}, …]}`. The loss is
that of the assistant's turns alone, and of the token that ends each: the tokenizer's training template adds it.
"""

import argparse
import json
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

import codefuse_hf  # noqa: F401 - registers the models


def load_conversations(path: Path) -> Dataset:
    """The conversations of a JSON-lines file. Raises `ValueError` for a line that is none."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            messages = [{"role": str(m["role"]), "content": str(m["content"])} for m in row["messages"]]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f'{path}, line {number}: expected {{"messages": [{{"role": …, "content": …}}, …]}}'
            ) from error
        rows.append({"messages": messages})
    if not rows:
        raise ValueError(f"{path} holds no conversation")
    return Dataset.from_list(rows)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a folder or a repository of the Hub")
    parser.add_argument("--data", type=Path, required=True, help="conversations, one JSON object a line")
    parser.add_argument("--output", type=Path, required=True, help="folder for the model")
    parser.add_argument("--lora-rank", type=int, default=0, help="train LoRA adapters of this rank; 0: all weights")
    parser.add_argument("--max-length", type=int, default=4096)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-5)
    parser.add_argument("--max-steps", type=int, default=-1)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    tokenizer.chat_template = tokenizer.training_chat_template
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    lora = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=args.lora_rank) if args.lora_rank else None
    trainer = SFTTrainer(
        model,
        args=SFTConfig(
            output_dir=str(args.output),
            assistant_only_loss=True,
            max_length=args.max_length,
            per_device_train_batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            max_steps=args.max_steps,
            num_train_epochs=args.epochs,
            bf16=args.bf16,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            seed=args.seed,
        ),
        train_dataset=load_conversations(args.data),
        processing_class=tokenizer,
        peft_config=lora,
    )
    trainer.train()
    trained = trainer.model.merge_and_unload() if lora else trainer.model
    trained.save_pretrained(args.output)
    tokenizer.save_pretrained(args.output)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print(f"loss {losses[0]:.3f} at the first step, {losses[-1]:.3f} at the last; the model is in {args.output}")


if __name__ == "__main__":
    main()
