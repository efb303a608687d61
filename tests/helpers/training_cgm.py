"""A tiny CGM and graph examples for training tests; as a program, one of several processes that train together.

RANK=… WORLD_SIZE=… MASTER_ADDR=… MASTER_PORT=… training_cgm.py FOLDER KIND BATCH_SIZE_PER_PROCESS
"""

import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import Trainer, TrainingArguments

from codefuse_hf import CGMProcessor
from helpers.models_cgm import tiny_with_encoder, word_tokenizer

STEPS = 3
PROCESSOR = CGMProcessor(word_tokenizer(), word_tokenizer(60))


def make_model(**changes):
    """A CGM without dropout, so that runs can be compared."""
    model = tiny_with_encoder(**changes)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def make_examples(count, seed=0):
    """The answer is the text of the node that the second node points to; every third graph is empty."""
    generator = torch.Generator().manual_seed(seed)
    examples = []
    for index in range(count):
        nodes = 0 if index % 3 == 2 else 2 + index % 4
        segments = [torch.randint(3, 50, (1 + (i + index) % 6,), generator=generator).tolist() for i in range(nodes)]
        answer = segments[0] if nodes else [7, 8]
        prompt = list(range(5, 8 + index % 3))
        examples.append(
            {
                "input_ids": prompt + answer,
                "labels": [-100] * len(prompt) + answer,
                "node_input_ids": segments,
                "edge_index": [[1], [0]] if nodes else [[], []],
            }
        )
    return examples


def make_trainer(folder, model, examples=None, **settings):
    """Plain `Trainer` on the CPU, with the processor's collator."""
    defaults = {
        "max_steps": STEPS,
        "per_device_train_batch_size": 8,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
    }
    arguments = TrainingArguments(
        str(folder),
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        **{**defaults, **settings},
    )
    data = make_examples(16) if examples is None else examples
    return Trainer(model, arguments, train_dataset=data, data_collator=PROCESSOR.collate)


def losses(trainer):
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def with_trainer(folder, batch_size, **settings):
    trainer = make_trainer(folder, make_model(), per_device_train_batch_size=batch_size, optim="sgd", **settings)
    trainer.train()
    trainer.save_model(str(folder))
    return losses(trainer)


def with_trainer_bf16(folder, batch_size):
    return with_trainer(folder, batch_size, bf16=True)


def with_fully_shard(folder, batch_size, **policy):
    """PyTorch's own sharding; the processes encode different numbers of batches of nodes."""
    state, model, examples = PartialState(cpu=True), make_model(), make_examples(16)
    encode = type(model.encoder).forward
    model.encoder.forward = lambda ids, mask: encode(model.encoder, ids, mask, batch_tokens=8)
    if state.num_processes > 1 or policy:  # one process computes in half precision as several do: sharded into one
        if state.num_processes == 1:
            torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
        mesh = init_device_mesh("cpu", (state.num_processes,))
        for part in (*model.lm.model.layers, *model.encoder.model.encoder.layer, model.encoder.model, model):
            fully_shard(part, mesh=mesh, mp_policy=MixedPrecisionPolicy(**policy))
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history, together = [], batch_size * state.num_processes
    for step in range(STEPS):
        rows = examples[step * together % 16 :][:together]
        answers = sum(label != -100 for row in rows for label in row["labels"])
        batch = PROCESSOR.collate(rows[state.process_index * batch_size :][:batch_size])
        # Gradients are averaged over the processes.
        loss = model(**batch, num_items_in_batch=torch.tensor(answers / state.num_processes)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss = loss.detach().clone()
        if state.num_processes > 1:
            torch.distributed.all_reduce(loss)
        history.append(loss.item() / state.num_processes)
    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if state.is_main_process:
        whole = make_model()
        whole.load_state_dict(weights)
        whole.save_pretrained(folder)
    if policy and state.num_processes == 1:
        torch.distributed.destroy_process_group()
    return history


def with_fully_shard_bf16(folder, batch_size):
    return with_fully_shard(folder, batch_size, param_dtype=torch.bfloat16, reduce_dtype=torch.float32)


KINDS = {
    "ddp": with_trainer,
    "ddp-bf16": with_trainer_bf16,
    "fsdp": with_fully_shard,
    "fsdp-bf16": with_fully_shard_bf16,
}


def main():
    folder, kind, batch_size = sys.argv[1:]
    history = KINDS[kind](Path(folder), int(batch_size))
    if PartialState().is_main_process:
        (Path(folder) / "summary.json").write_text(json.dumps([PartialState().num_processes, history]))
    PartialState().wait_for_everyone()
    PartialState().destroy_process_group()


if __name__ == "__main__":
    main()
