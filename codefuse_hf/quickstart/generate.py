"""Generates text with the model in the folder `model`, which brings its own code: codefuse-hf is not needed."""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("prompts", nargs="+", metavar="PROMPT", help="what the model shall continue")
parser.add_argument("--new-tokens", type=int, default=150, help="how many tokens to add (default: 150)")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

folder = Path(__file__).resolve().parent / "model"
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)

torch.manual_seed(args.seed)
for prompt in args.prompts:
    inputs = tokenizer(prompt, return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=args.new_tokens, do_sample=True, temperature=0.5, top_p=0.9)
    print(json.dumps({"prompt": prompt, "text": tokenizer.decode(output[0], skip_special_tokens=True)}), flush=True)
print(json.dumps({"model_class_from": type(model).__module__}))
