"""A program: does a folder load, and do its weights fit the model?

Builds the model without memory for its weights, and compares names and shapes with those that standard input gives as
JSON. Prints a line `RESULT` and the problems as a JSON list. It loads with the folder's own code, for which `folder_check`
runs it where this package cannot be imported, or with the installed classes.
"""

import argparse
import importlib
import json
import sys

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel


def build_model(config: PreTrainedConfig, trust_remote_code: bool) -> PreTrainedModel | None:
    """Build the model that the folder says it holds; None if nothing says which class that is."""
    architecture = (config.architectures or [None])[0]
    auto_map = getattr(config, "auto_map", None) or {}
    auto = [
        name for name, target in auto_map.items() if isinstance(target, str) and target.endswith(f".{architecture}")
    ]
    with torch.device("meta"):
        if auto:
            # A class that serves several Auto classes is most itself under the most special one.
            return getattr(transformers, max(sorted(auto), key=len)).from_config(
                config, trust_remote_code=trust_remote_code
            )
        if not auto_map and hasattr(transformers, architecture or ""):
            return getattr(transformers, architecture)(config)
    return None


def weight_problems(model: PreTrainedModel, shapes: dict[str, list[int]]) -> list[str]:
    """Compare the model's weights with those of the folder, by name and shape."""
    expected = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    tied = set(model.all_tied_weights_keys) | set(model.all_tied_weights_keys.values())
    problems = [f"weights: {name} is missing" for name in expected if name not in shapes and name not in tied]
    problems += [f"weights: {name} is not the model's" for name in shapes if name not in expected]
    problems += [
        f"weights: {name} has shape {shapes[name]}, the model asks for {expected[name]}"
        for name in expected
        if name in shapes and shapes[name] != expected[name]
    ]
    return problems


def tokenizer_problems(folder: str, config: PreTrainedConfig, trust_remote_code: bool) -> list[str]:
    """Load the tokenizer, and compare its size with the model's vocabulary."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    size = getattr(config, "vocab_size", None)
    if size is not None and len(tokenizer) > size:
        return [f"tokenizer: {len(tokenizer)} tokens, but the model has only {size}"]
    return []


def main() -> None:
    """Check the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--tokenizer", action="store_true", help="the folder has a tokenizer: load it too")
    parser.add_argument("--own-code", action="store_true", help="run the code of the folder, not the installed classes")
    args = parser.parse_args()
    if not args.own_code:
        importlib.import_module("codefuse_hf")  # registers the installed classes
    shapes = json.load(sys.stdin)
    config = AutoConfig.from_pretrained(args.folder, trust_remote_code=args.own_code)
    model = build_model(config, args.own_code)
    problems = [] if model is None else weight_problems(model, shapes)
    if args.tokenizer:
        problems += tokenizer_problems(args.folder, config, args.own_code)
    print("RESULT" + json.dumps(problems))


if __name__ == "__main__":
    main()
