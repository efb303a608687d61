"""Trains a tiny CGE for two steps and saves it: run alone or under `torchrun` (test_training_cge.py)."""

import os
import sys

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss


def main(folder: str, output: str, per_device_batch: str) -> None:
    import codefuse_hf  # noqa: F401  (registers the model)

    distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1
    model = SentenceTransformer(folder, trust_remote_code=True, device="cpu")
    pairs = [(f"return the number {n}", f"def f{n}(): return {n}") for n in range(16)]
    dataset = Dataset.from_dict({"anchor": [a for a, _ in pairs], "positive": [b for _, b in pairs]})
    arguments = SentenceTransformerTrainingArguments(
        output_dir=output,
        per_device_train_batch_size=int(per_device_batch),
        max_steps=2,
        learning_rate=1e-2,
        lr_scheduler_type="constant",
        optim="sgd",
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=3,
        **({"ddp_backend": "gloo"} if distributed else {}),
    )
    # Each anchor is compared with the candidates of all processes, as in one large batch.
    loss = MultipleNegativesRankingLoss(model, gather_across_devices=distributed)
    trainer = SentenceTransformerTrainer(model, arguments, train_dataset=dataset, loss=loss)
    assert trainer.args.world_size * int(per_device_batch) == 8, "the batch over all processes must have 8 pairs"
    trainer.train()
    if trainer.is_world_process_zero():
        model.save_pretrained(output, create_model_card=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
