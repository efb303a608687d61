"""Chat with a Rodimus model, turn after turn from one cache, and go on another day where the conversation stopped.

    python examples/rodimus_generate.py codefuse-ai/Rodimus-Plus-Coder-1.6B-Chat --state conversation.safetensors

Each turn computes its own tokens only, and the cache does not grow. With `--state` the conversation is read from that file
if it exists, and written to it after every turn; the file has a constant size too.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

import codefuse_hf  # noqa: F401 - registers the models


class Conversation:
    """Token ids so far and the cache that has seen them."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, state: Path | None = None):
        self.model, self.tokenizer, self.state = model, tokenizer, state
        if state is not None and state.exists():
            loaded = model.load_generation_state(state)
            self.cache, self.ids = loaded["past_key_values"], loaded["input_ids"]
        else:
            self.cache = DynamicCache(config=model.config)
            self.ids = torch.empty(1, 0, dtype=torch.long, device=model.device)

    def say(self, text: str, system: str | None = None, **generation) -> str:
        """One turn of the user's; returns the answer. Generation options are those of `generate`."""
        turn = [{"role": "user", "content": text}]
        if system is not None and self.ids.shape[1] == 0:
            turn.insert(0, {"role": "system", "content": system})
        # The format is a plain sequence of turns, so a new turn is appended. Rendering the whole conversation anew could
        # give other tokens for what the model has written itself, and the cache would not fit any more.
        encoded = self.tokenizer.apply_chat_template(turn, return_tensors="pt", return_dict=True)
        ids = torch.cat([self.ids, encoded["input_ids"].to(self.ids.device)], 1)
        output = self.model.generate(ids, attention_mask=torch.ones_like(ids), past_key_values=self.cache, **generation)
        answer = self.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
        # The cache has seen all but the last token. An end token is no part of the format: it goes.
        ended = output[0, -1].item() == self.tokenizer.eos_token_id
        self.ids = output[:, :-1] if ended else output
        if self.state is not None:
            self.model.save_generation_state(self.state, self.cache, input_ids=self.ids)
        return answer


def turns(given: list[str] | None) -> Iterator[str]:
    """The turns given on the command line, or those typed in until an empty line or the end of the input."""
    if given:
        yield from given
        return
    while True:
        try:
            text = input("> ")
        except EOFError:
            return
        if not text:
            return
        yield text


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a folder or a repository of the Hub")
    parser.add_argument("--turn", action="append", help="what to say, instead of asking for it; may be repeated")
    parser.add_argument("--system", help="system text for a new conversation")
    parser.add_argument("--state", type=Path, help="file to keep the conversation in")
    parser.add_argument("--max-new-tokens", type=int, default=300)
    parser.add_argument("--temperature", type=float, default=0.0, help="0 (default): the likeliest token")
    parser.add_argument("--dtype", default="auto")
    args = parser.parse_args(argv)

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=args.dtype).eval()
    conversation = Conversation(model, tokenizer, args.state)
    options = {"max_new_tokens": args.max_new_tokens, "do_sample": args.temperature > 0}
    if args.temperature > 0:
        options["temperature"] = args.temperature
    for text in turns(args.turn):
        print(conversation.say(text, args.system, **options))


if __name__ == "__main__":
    main()
