"""Models in this process: tiny ones of random weights, loaded from folders."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from codefuse_hf import CGMProcessor
from codefuse_hf.graph import build_code_graph
from codefuse_hf.repair.chain import Chain
from codefuse_hf.repair.local_models import GraphModel, LocalModel
from codefuse_hf.repair.model_choice import ModelChoice
from codefuse_hf.repair.models import ModelError
from codefuse_hf.repair.quoting import BREAK
from codefuse_hf.repair.repository import Repository
from helpers.faulty_repository import ISSUES, make_repository
from helpers.models_cgm import text_config, tiny_with_encoder, word_tokenizer

ASK = [{"role": "user", "content": "return price"}]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=90, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=4096,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("llama")
    LlamaForCausalLM(config).save_pretrained(folder)
    word_tokenizer(chat=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    """A Llama of one layer in one file, its tokenizer in it, as llama.cpp has them."""
    gguf = pytest.importorskip("gguf")
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    tokens = ["<unk>", "<s>", "</s>", *(chr(code) for code in range(33, 127)), "\u0120", "re", "pr"]
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(16)
    writer.add_feed_forward_length(24)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(8)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * (len(tokens) - 3)])
    writer.add_token_merges(["r e", "p r"])
    for add, token in ((writer.add_unk_token_id, 0), (writer.add_bos_token_id, 1), (writer.add_eos_token_id, 2)):
        add(token)
    generator = np.random.default_rng(0)
    sizes = {"token_embd": (len(tokens), 16), "output": (len(tokens), 16)}
    sizes |= {f"blk.0.{name}": (16, 16) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
    sizes |= {"blk.0.ffn_gate": (24, 16), "blk.0.ffn_up": (24, 16), "blk.0.ffn_down": (16, 24)}
    for name, size in sizes.items():
        writer.add_tensor(f"{name}.weight", generator.standard_normal(size, np.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(16, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def cgm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cgm")
    tiny_with_encoder(text=text_config(max_position_embeddings=8192)).save_pretrained(folder)
    processor = CGMProcessor(
        word_tokenizer(chat=True), word_tokenizer(60), segment_length=16, max_nodes=40, max_segments_per_node=2
    )
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_repository(tmp_path_factory.mktemp("local") / "shop")


def test_an_answer_is_greedy_and_counted(llama):
    model = LocalModel.from_pretrained(llama)
    answer = model.chat(ASK, max_tokens=6)
    assert answer.text == LocalModel.from_pretrained(llama).chat(ASK, max_tokens=6).text
    assert answer.usage.calls == 1 and answer.usage.completion_tokens <= 6
    assert answer.cut_off == (answer.usage.completion_tokens == 6)
    assert answer.usage.prompt_tokens >= model.count_tokens("return price")


def test_what_does_not_fit_is_refused(llama):
    model = LocalModel.from_pretrained(llama, context_tokens=20)
    assert model.context_tokens == 20
    with pytest.raises(ModelError, match="leaves no room in a context of 20"):
        model.chat([{"role": "user", "content": "price " * 30}], max_tokens=6)


def test_special_tokens_in_a_message_are_words(llama):
    model = LocalModel.from_pretrained(llama)
    special = model.tokenizer.eos_token
    plain = model._without_special_tokens(f"a {special} b")
    assert special not in plain and plain.replace(BREAK, "") == f"a {special} b"
    ids = model._inputs([{"role": "user", "content": plain}], None, ())["input_ids"][0].tolist()
    assert ids.count(model.tokenizer.eos_token_id) == model._inputs(ASK, None, ())["input_ids"][0].tolist().count(
        model.tokenizer.eos_token_id
    )


def test_without_a_chat_template_messages_follow_each_other(llama):
    model = LocalModel.from_pretrained(llama)
    model.tokenizer.chat_template = None
    assert model.chat(ASK, max_tokens=3).usage.prompt_tokens >= 2


def test_a_cgm_reads_the_graph(cgm, root):
    model = ModelChoice(str(cgm)).load()
    assert isinstance(model, GraphModel) and model.reads_graphs
    graph = build_code_graph(root, workers=0, progress=False)
    seen = []
    generate = model.model.generate
    model.model.generate = lambda **inputs: seen.append(inputs) or generate(**inputs)
    anchors = graph.find("Cart")
    assert isinstance(model.chat(ASK, max_tokens=4, graph=graph, anchors=anchors).text, str)
    assert model.chat(ASK, max_tokens=4).usage.completion_tokens <= 4
    assert seen[0]["node_mask"].sum() > 10 and "node_mask" not in seen[1]


def test_the_chain_hands_the_subgraph_to_a_cgm(cgm, llama, root):
    chat, reader = LocalModel.from_pretrained(llama), LocalModel.from_pretrained(cgm)
    seen = []
    answer = reader.chat
    reader.chat = lambda messages, **options: seen.append(options) or answer(messages, **{**options, "max_tokens": 4})
    with Repository(root, workers=0) as repository:
        outcome = Chain(repository, reader=reader, attempts=1).run(ISSUES[2])
        assert outcome.rewriting is None and outcome.reranking is None and outcome.repair.error
        assert seen[0]["graph"].num_nodes == len(outcome.retrieval.node_ids) > 20
        assert set(seen[0]["anchors"]) <= set(outcome.retrieval.node_ids) and seen[0]["anchors"]
        assert [stage.name for stage in outcome.stages] == ["ranking", "retriever", "reader"]
    assert not chat.reads_graphs


def test_a_gguf_file_is_a_model(gguf_file):
    model = ModelChoice(str(gguf_file), dtype="bfloat16").load()
    assert (model.name, model.context_tokens, model.model.dtype) == ("tiny.gguf", 512, torch.bfloat16)
    weight = np.random.default_rng(0).standard_normal((100, 16), np.float32)  # the first that was written
    torch.testing.assert_close(model.model.get_input_embeddings().weight.detach(), torch.tensor(weight).bfloat16())
    answer = model.chat(ASK, max_tokens=5)
    assert model.count_tokens("re") == 1 and answer.usage.prompt_tokens >= model.count_tokens("return price")
    assert 1 <= answer.usage.completion_tokens <= 5


def test_the_server_chooses_its_numbers():
    with pytest.raises(ValueError, match="a server, which chooses its numbers: leave out dtype"):
        ModelChoice("far", base_url="http://localhost/v1", dtype="bfloat16").load()


def test_a_local_model_has_no_server(llama):
    with pytest.raises(ValueError, match="leave out base_url"):
        ModelChoice(str(llama), base_url="http://localhost/v1").load()
