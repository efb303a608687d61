"""Tune a CGM on local repositories: code graphs, training records, LoRA on both models, the adapter in full, one folder.

    python examples/cgm_finetune.py path/to/one path/to/another --lm path/to/lm --encoder path/to/encoder --output my-cgm
    python examples/cgm_finetune.py path/to/one --model path/to/cgm --output my-cgm

With --lm and --encoder the adapter between them is new. The folder at the end has the merged weights and the processor:
`examples/cgm_ask.py --model my-cgm` answers with it.
"""

import argparse
from pathlib import Path

from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoProcessor, AutoTokenizer, Trainer, TrainingArguments

from codefuse_hf import CGMForCausalLM, CGMProcessor
from codefuse_hf.training.cgm_collator import CGMRecordCollator
from codefuse_hf.training.cgm_corpus import CorpusRecipe, build_corpus

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def load_model(arguments: argparse.Namespace) -> tuple[CGMForCausalLM, CGMProcessor]:
    """The model to tune and its processor."""
    if arguments.model is not None:
        return AutoModelForCausalLM.from_pretrained(arguments.model), AutoProcessor.from_pretrained(arguments.model)
    model = CGMForCausalLM.from_base(arguments.lm, arguments.encoder)
    tokenizers = [AutoTokenizer.from_pretrained(name) for name in (arguments.lm, arguments.encoder)]
    positions = getattr(model.config.encoder_config, "max_position_embeddings", 512)
    return model, CGMProcessor(*tokenizers, segment_length=min(512, positions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", type=Path, nargs="+", help="folders with source code, or graphs as JSON")
    parser.add_argument("--model", help="a folder or repository of a CGM")
    parser.add_argument("--lm", help="instead: a causal language model")
    parser.add_argument("--encoder", help="with --lm: a text encoder")
    parser.add_argument("--output", default="cgm-finetuned", help="the folder (default: %(default)s)")
    parser.add_argument("--reconstructions", type=int, default=200, help="of each repository (default: %(default)s)")
    parser.add_argument("--questions", type=int, default=100, help="of each task and repository (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="for the graphs (default: %(default)s)")
    parser.add_argument("--max-nodes", type=int, default=500, help="node tokens (default: %(default)s)")
    parser.add_argument("--max-steps", type=int, default=-1)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()
    if (arguments.model is None) == (arguments.lm is None) or (arguments.lm is None) != (arguments.encoder is None):
        parser.error("give --model, or --lm and --encoder")

    recipe = CorpusRecipe(reconstructions=arguments.reconstructions, questions=arguments.questions)
    corpus = build_corpus(arguments.repositories, recipe, num_proc=arguments.processes)
    for source, failure in corpus.failures.items():
        print(f"left out: {source}: {failure}")
    if not len(corpus.records):
        parser.error("none of the repositories gave a record")
    print(f"{len(corpus.records)} records from {len(set(corpus.records['repository']))} repositories")

    model, processor = load_model(arguments)
    processor.max_nodes = arguments.max_nodes
    encoder = [
        name for name, module in model.named_modules() if name.startswith("encoder.") and hasattr(module, "in_features")
    ]
    lm = [name for name, _ in model.named_modules() if name.startswith("lm.") and name.endswith(PROJECTIONS)]
    # As in the paper: LoRA on both models, and the adapter between them in full.
    lora = LoraConfig(
        r=32,
        lora_alpha=32,
        lora_dropout=0.05,
        target_modules=[*lm, *encoder],
        modules_to_save=["adapter"],
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(model, lora)
    model.print_trainable_parameters()
    settings = TrainingArguments(
        f"{arguments.output}-checkpoints",
        num_train_epochs=arguments.epochs,
        max_steps=arguments.max_steps,
        per_device_train_batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        warmup_steps=0.03,
        lr_scheduler_type="cosine",
        bf16=arguments.bf16,
        remove_unused_columns=False,
        logging_steps=10,
        report_to=[],
    )
    collator = CGMRecordCollator(processor, max_prompt_tokens=2000)
    Trainer(model, settings, train_dataset=corpus.records, data_collator=collator).train()
    model.merge_and_unload().save_pretrained(arguments.output)
    processor.save_pretrained(arguments.output)
    print(f"saved {arguments.output}")


if __name__ == "__main__":
    main()
