"""Memory of converting a CodeFuse-CGM repository: a synthetic one of several GB, in the published layout.

    python benchmarks/cgm_convert.py --gigabytes 4 --output benchmarks/results/cgm_convert.json

The conversion runs in a process of its own. Its memory is what it has allocated itself (anonymous pages), sampled while it
runs; pages of mapped files, which the system takes back at will, are given beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, T5Config, T5EncoderModel

from codefuse_hf.hub.convert.cgm import ADAPTER, ENCODER

SHARDS = 4
CONVERT = "import sys; from codefuse_hf.cli import main; main(['convert', *sys.argv[1:]])"


def write_published(folder: Path, gigabytes: float) -> None:
    """A Qwen2 of that size in bfloat16 and four shards, the adapter, and the CodeT5+ encoder at its published size."""
    layer = 4 * 2048 * 2048 * 2 + 3 * 2048 * 8192 * 2
    text = Qwen2Config(
        vocab_size=2000,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=max(1, round(gigabytes * 1e9 / layer)),
        num_attention_heads=16,
        num_key_value_heads=16,
        tie_word_embeddings=False,
        architectures=["Qwen2ForCausalLM"],
    )
    text.save_pretrained(folder)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Qwen2ForCausalLM(text).state_dict().items()}
    names, index = list(shapes), {}
    for shard in range(SHARDS):
        file = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        own = names[shard * len(names) // SHARDS : (shard + 1) * len(names) // SHARDS]
        save_file({name: torch.ones(shapes[name], dtype=torch.bfloat16) for name in own}, folder / file)
        index |= dict.fromkeys(own, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (folder / ADAPTER).parent.mkdir()
    sizes = {"fc1.weight": (4096, 256), "fc1.bias": (4096,), "fc2.weight": (2048, 4096), "fc2.bias": (2048,)}
    torch.save({name: torch.ones(size, dtype=torch.bfloat16) for name, size in sizes.items()}, folder / ADAPTER)
    encoder = {"vocab_size": 32103, "d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12}
    (folder / ENCODER).mkdir()
    published = {**encoder, "architectures": ["CodeT5p_Embedding"], "model_type": "codet5p_embedding", "embed_dim": 256}
    (folder / ENCODER / "config.json").write_text(json.dumps(published))
    state = T5EncoderModel(T5Config(**encoder)).state_dict()
    state |= {"proj.weight": torch.ones(256, 768), "proj.bias": torch.ones(256)}
    torch.save(state, folder / ENCODER / "pytorch_model.bin")
    words = Tokenizer(models.WordLevel({"<pad>": 0, "x": 1}, unk_token="x"))
    for place in (folder, folder / ENCODER):
        PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>").save_pretrained(place)


def memory_of(process: int) -> dict[str, int]:
    """Resident kB of a process: `RssAnon`, `RssFile`."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssFile"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--shard-size", default="500MB", help="of the result, and about the memory that is used")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, destination = Path(folder, "CodeFuse-CGM"), Path(folder, "converted")
        source.mkdir()
        write_published(source, arguments.gigabytes)
        stored = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
        command = [sys.executable, "-c", CONVERT, str(source), str(destination)]
        start, peaks = time.perf_counter(), {"RssAnon": 0, "RssFile": 0}
        with subprocess.Popen(
            [*command, "--max-shard-size", arguments.shard_size], stdout=subprocess.DEVNULL
        ) as running:
            while running.poll() is None:
                peaks = {name: max(peak, memory_of(running.pid).get(name, 0)) for name, peak in peaks.items()}
                time.sleep(0.02)
        if running.returncode:
            raise SystemExit(running.returncode)
        made = sum(file.stat().st_size for file in destination.iterdir())
    results = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "source (GB)": stored / 1e9,
        "result (GB)": made / 1e9,
        "shard size": arguments.shard_size,
        "wall seconds": time.perf_counter() - start,
        "load average": os.getloadavg()[0],
        "peak of allocated memory, torch and transformers included (GB)": peaks["RssAnon"] * 1024 / 1e9,
        "peak of mapped files (GB)": peaks["RssFile"] * 1024 / 1e9,
    }
    print(json.dumps(results, indent=2))
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
