"""Fine-tune a Rodimus model on local text or code with LoRA and `Trainer`, and save the merged, self-contained model.

    python examples/rodimus_finetune_lora.py codefuse-ai/Rodimus-Plus-Coder-1.6B-Base --data my_project --suffix .py --output tuned

Prints the loss on held-out text before and after.
"""

import argparse
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

import codefuse_hf  # noqa: F401 - registers the models
from codefuse_hf.training.text_corpus import BlockDataset, find_files, read_texts


def load_blocks(args: argparse.Namespace, tokenizer) -> tuple[BlockDataset, BlockDataset]:
    """Blocks of tokens to train on, and the last tenth (at most 100 blocks) held out."""
    texts, _ = read_texts(find_files(args.data, args.suffix), max_bytes=args.max_bytes, seed=args.seed)
    ids = [token for text in texts for token in [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]]
    tokens = torch.tensor(ids)
    held_out = args.block_length * min(max(len(ids) // (10 * args.block_length), 1), 100)
    return BlockDataset(tokens[:-held_out], args.block_length), BlockDataset(tokens[-held_out:], args.block_length)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a folder or a repository of the Hub")
    parser.add_argument("--data", nargs="+", required=True, help="text files or folders")
    parser.add_argument("--suffix", default="", help="take only files of folders that end so, such as .py")
    parser.add_argument("--output", type=Path, required=True, help="folder for the merged model")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--block-length", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--gradient-accumulation-steps", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--max-steps", type=int, default=500)
    parser.add_argument("--max-bytes", type=int, default=100_000_000)
    parser.add_argument("--gradient-checkpointing", action="store_true", help="less memory, a third more time")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    train_set, held_out = load_blocks(args, tokenizer)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    lora = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=args.rank, lora_alpha=2 * args.rank)
    model = get_peft_model(model, lora)
    model.print_trainable_parameters()
    trainer = Trainer(
        model,
        TrainingArguments(
            output_dir=str(args.output / "checkpoints"),
            max_steps=args.max_steps,
            per_device_train_batch_size=args.batch_size,
            gradient_accumulation_steps=args.gradient_accumulation_steps,
            learning_rate=args.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=min(20, args.max_steps // 10),
            gradient_checkpointing=args.gradient_checkpointing,
            bf16=args.bf16,
            logging_steps=10,
            save_strategy="no",
            report_to="none",
            seed=args.seed,
        ),
        train_dataset=train_set,
        eval_dataset=held_out,
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    after = trainer.evaluate()["eval_loss"]
    model.merge_and_unload().save_pretrained(args.output)
    tokenizer.save_pretrained(args.output)
    print(f"held-out loss {before:.3f} before, {after:.3f} after; the model is in {args.output}")


if __name__ == "__main__":
    main()
