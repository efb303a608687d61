"""Trains a tiny Rodimus as `accelerate launch` starts it; the first process writes what came out.

    accelerate launch … distributed_rodimus.py FOLDER BLOCK_TYPE BATCH_SIZE_PER_PROCESS KIND

`trainer` is plain `Trainer`. `fsdp` is PyTorch's own `fully_shard`: on a CPU accelerate's `--use_fsdp` does not shard.
`fsdp-bfloat16` is the same with a model that was loaded in bfloat16.
"""

import functools
import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import Trainer

from codefuse_hf import RodimusForCausalLM
from helpers.tiny_rodimus import losses, make_arguments, make_examples, make_model

STEPS, LEARNING_RATE = 3, 1e-2


def with_trainer(folder: Path, block_type: str, batch_size: int) -> dict:
    arguments = make_arguments(
        folder, max_steps=STEPS, per_device_train_batch_size=batch_size, learning_rate=LEARNING_RATE
    )
    trainer = Trainer(make_model(block_type), arguments, train_dataset=make_examples(16, ragged=True))
    trainer.train()
    trainer.save_model(str(folder))
    state = trainer.accelerator
    return {"losses": losses(trainer), "processes": state.num_processes, "kind": str(state.distributed_type)}


def with_fully_shard(folder: Path, block_type: str, batch_size: int, dtype: torch.dtype = torch.float32) -> dict:
    state, examples, start = PartialState(cpu=True), make_examples(16), folder / "start"
    if state.is_main_process:
        make_model(block_type).save_pretrained(start)
    state.wait_for_everyone()
    model = RodimusForCausalLM.from_pretrained(start, dtype=dtype).train()
    if state.num_processes > 1:
        mesh = init_device_mesh("cpu", (state.num_processes,))
        for block in model.model.layers:
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameter_groups(0.1), lr=LEARNING_RATE)
    history, batches = [], batch_size * state.num_processes
    for step in range(STEPS):
        first = (step * batches + state.process_index * batch_size) % len(examples)
        rows = examples[first : first + batch_size]
        loss = model(**{name: torch.stack([row[name] for row in rows]) for name in rows[0]}, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss = loss.detach().clone()
        if state.num_processes > 1:
            torch.distributed.all_reduce(loss)
        history.append(loss.item() / state.num_processes)
    sharded = sum(isinstance(p, torch.distributed.tensor.DTensor) for p in model.parameters())
    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if state.is_main_process:
        whole = make_model(block_type).to(dtype)
        whole.load_state_dict(weights)
        whole.save_pretrained(folder)
    return {"losses": history, "processes": state.num_processes, "kind": f"{sharded} sharded parameters"}


KINDS = {
    "trainer": with_trainer,
    "fsdp": with_fully_shard,
    "fsdp-bfloat16": functools.partial(with_fully_shard, dtype=torch.bfloat16),
}


def main() -> None:
    folder, block_type, batch_size, kind = sys.argv[1:]
    summary = KINDS[kind](Path(folder), block_type, int(batch_size))
    if PartialState().is_main_process:
        (Path(folder) / "summary.json").write_text(json.dumps(summary))
    PartialState().wait_for_everyone()
    PartialState().destroy_process_group()


if __name__ == "__main__":
    main()
