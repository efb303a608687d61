"""Ask a question about a repository: its code graph is built, cut down to what the question names, and read by a CGM.

    python examples/cgm_ask.py path/to/repository "Which functions call load_config?" --model path/to/cgm
    python examples/cgm_ask.py path/to/repository "…" --lm path/to/lm --encoder path/to/text-encoder

With --lm and --encoder the adapter between them is new, so answers make no sense before training; without any of the three
a small random model shows the way from repository to answer. Needs no network where the models are folders.
"""

import argparse
import re
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    BertConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from codefuse_hf import CGMConfig, CGMForCausalLM, CGMProcessor, NodeEmbeddingCache
from codefuse_hf.graph import CodeGraph, build_code_graph


def random_model(graph: CodeGraph) -> tuple[CGMForCausalLM, CGMProcessor]:
    """A small CGM with random weights, and a tokenizer trained on the repository itself."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1000, special_tokens=["<pad>", "<end>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(graph.sentences(), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
    text = Qwen2Config(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        pad_token_id=fast.pad_token_id,
        eos_token_id=fast.eos_token_id,
    )
    encoder = BertConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    torch.manual_seed(0)
    config = CGMConfig(text, encoder, adapter_hidden_dim=64, encoder_pooling="mean")
    return CGMForCausalLM(config).eval(), CGMProcessor(fast)


def load_model(arguments: argparse.Namespace, graph: CodeGraph) -> tuple[CGMForCausalLM, CGMProcessor]:
    """The model that the command line names, and its processor."""
    if arguments.model is not None:
        return AutoModelForCausalLM.from_pretrained(arguments.model), AutoProcessor.from_pretrained(arguments.model)
    if arguments.lm is None:
        return random_model(graph)
    model = CGMForCausalLM.from_base(arguments.lm, arguments.encoder)
    tokenizers = [AutoTokenizer.from_pretrained(name) for name in (arguments.lm, arguments.encoder)]
    return model, CGMProcessor(*tokenizers)


def named_in(question: str, graph: CodeGraph) -> list[int]:
    """Nodes whose name, or dotted name, stands in the question: the anchors that the budget begins with."""
    words = dict.fromkeys(re.findall(r"[A-Za-z_][\w.]*\w", question))
    types = ("File", "Class", "Function", "Method", "Attribute", "Field")
    return list(dict.fromkeys(node for word in words for node in graph.find(word, types=types)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path, help="a folder with source code")
    parser.add_argument("question")
    parser.add_argument("--model", help="a folder or repository of a CGM")
    parser.add_argument("--lm", help="instead: a causal language model")
    parser.add_argument("--encoder", help="with --lm: a text encoder")
    parser.add_argument("--max-nodes", type=int, default=300, help="node tokens (default: %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=64, help="length of the answer (default: %(default)s)")
    parser.add_argument("--cache", type=Path, help="keep the nodes' vectors in this folder, for the next question")
    parser.add_argument("--picture", type=Path, help="save a picture of the attention mask here")
    arguments = parser.parse_args()
    if (arguments.lm is None) != (arguments.encoder is None):
        parser.error("--lm and --encoder belong together")

    graph = build_code_graph(arguments.repository)
    print(graph)
    model, processor = load_model(arguments, graph)
    processor.max_nodes = arguments.max_nodes
    processor.max_segments_per_node = 8
    anchors = named_in(arguments.question, graph)
    print("named in the question:", ", ".join(graph.qualified_name(node) for node in anchors[:10]) or "nothing")
    prepared = processor.prepare_graph(graph, anchors=anchors)
    print("read:", prepared.report)

    cache = NodeEmbeddingCache(arguments.cache, model.encoder_fingerprint()) if arguments.cache else None
    has_template = processor.chat_template is not None
    prompt = [{"role": "user", "content": arguments.question}] if has_template else f"{arguments.question}\n"
    inputs = processor(text=prompt, graph=prepared, encode=lambda nodes: model.encode_segments(nodes, cache=cache))
    tokens = model.generate(**inputs.to(model.device), max_new_tokens=arguments.max_new_tokens, do_sample=False)
    print("answer:", processor.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    if arguments.picture is not None:
        processor.show_mask(prompt, prepared).savefig(arguments.picture)


if __name__ == "__main__":
    main()
