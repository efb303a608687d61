"""Conversion of the published CGM repository: a tiny stand-in with the same files and names."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoProcessor, Qwen2ForCausalLM, T5Config, T5EncoderModel

from codefuse_hf import CGMForCausalLM
from codefuse_hf.cli import main
from codefuse_hf.hub.convert import core
from codefuse_hf.hub.convert.cgm import ADAPTER, ENCODER
from codefuse_hf.hub.convert.core import convert_folder
from codefuse_hf.hub.folder_check import check_folder
from helpers import GOLDEN
from helpers.models_cgm import text_config, word_tokenizer

GRAPH = GOLDEN / "cgm" / "demo.graph.json"
WIDTH, HIDDEN = 8, 20
CODET5P = {
    "architectures": ["CodeT5p_Embedding"],
    "auto_map": {"AutoModel": "modeling_codet5p_embedding.CodeT5p_Embedding"},
    "model_type": "codet5p_embedding",
    "embed_dim": WIDTH,
    "is_encoder_decoder": True,
    "vocab_size": 60,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 2,
    "num_heads": 2,
    "feed_forward_proj": "relu",
    "dropout_rate": 0.1,
}


def write_published(folder):
    """Write the stand-in; returns its parts."""
    torch.manual_seed(0)
    folder.mkdir()
    lm = Qwen2ForCausalLM(text_config()).to(torch.bfloat16)
    lm.save_pretrained(folder, max_shard_size="20KB")
    word_tokenizer(chat=True).save_pretrained(folder)
    adapter = {
        "fc1.weight": torch.randn(HIDDEN, WIDTH),
        "fc1.bias": torch.randn(HIDDEN),
        "fc2.weight": torch.randn(32, HIDDEN),
        "fc2.bias": torch.randn(32),
    }
    (folder / ADAPTER).parent.mkdir()
    torch.save({name: value.bfloat16() for name, value in adapter.items()}, folder / ADAPTER)
    encoder = T5EncoderModel(
        T5Config(
            **{k: v for k, v in CODET5P.items() if k not in ("architectures", "auto_map", "model_type", "embed_dim")}
        )
    )
    projection = torch.nn.Linear(16, WIDTH)
    state = encoder.state_dict() | {f"proj.{name}": value for name, value in projection.state_dict().items()}
    (folder / ENCODER).mkdir()
    (folder / ENCODER / "config.json").write_text(json.dumps(CODET5P))
    (folder / ENCODER / "modeling_codet5p_embedding.py").write_text("raise SystemExit('executed')")
    torch.save(state, folder / ENCODER / "pytorch_model.bin")
    word_tokenizer(60).save_pretrained(folder / ENCODER)
    return lm, adapter, encoder.eval(), projection


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "CodeFuse-CGM-72B"
    return folder, write_published(folder)


def test_the_parts_become_one_folder(published, tmp_path, capsys):
    source, (lm, adapter, encoder, projection) = published
    out = tmp_path / "cgm"
    main(["convert", str(source), str(out), "--max-shard-size", "30KB"])
    assert "AutoModelForCausalLM" in capsys.readouterr().out
    assert (out / "model.safetensors.index.json").is_file() and not list(out.rglob("*.bin")) + list(out.rglob("*.pth"))
    check_folder(out)
    assert "it was not run" not in capsys.readouterr().err, "the code is this project's own"
    card = (out / "README.md").read_text()
    assert "converted from CodeFuse-CGM-72B" in card and "`t5`, pooling" in card and '{"role": "user"' in card
    model, info = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, output_loading_info=True)
    assert type(model) is CGMForCausalLM and not info["missing_keys"] and not info["unexpected_keys"]
    assert model.config.adapter_hidden_dim == HIDDEN and model.config.embedding_dim == WIDTH
    for name, value in lm.state_dict().items():
        assert torch.equal(model.lm.state_dict()[name], value.float())
    for name, value in adapter.items():
        assert torch.equal(model.adapter.state_dict()[name], value.bfloat16().float())
    ids = torch.tensor([[5, 9, 12, 3]])
    state = encoder(input_ids=ids).last_hidden_state[:, 0]
    expected = torch.nn.functional.normalize(projection(state), dim=-1)
    torch.testing.assert_close(model.encode_segments(ids.tolist()), expected.detach(), atol=1e-6, rtol=1e-5)
    processor = AutoProcessor.from_pretrained(out)
    inputs = processor(text=[{"role": "user", "content": "is it?"}], graph=GRAPH)
    assert processor.node_tokenizer.vocab_size == 60
    assert model.generate(**inputs, max_new_tokens=3).shape[1] >= inputs["input_ids"].shape[1] + 1


def test_from_base_reads_the_encoder_folder(published, tmp_path):
    source, (lm, _, encoder, projection) = published
    model = CGMForCausalLM.from_base(lm, source / ENCODER, adapter_hidden_dim=8)
    assert model.config.encoder_projection_dim == WIDTH and model.config.encoder_pooling == "first"
    ids = torch.tensor([[5, 9, 12, 3]])
    expected = projection(encoder(input_ids=ids).last_hidden_state[:, 0])
    found = model.encode_segments(ids.tolist())
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected, dim=-1).detach(), atol=1e-6, rtol=1e-5)
    model.save_pretrained(tmp_path)
    loaded = CGMForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    torch.testing.assert_close(loaded.encode_segments(ids.tolist()), found, atol=1e-6, rtol=1e-5)


def test_a_broken_run_is_gone_on_with(published, tmp_path, monkeypatch):
    source, out = published[0], tmp_path / "cgm"
    written = []
    write_shard = core.write_shard

    def failing(tensors, file):
        if len(written) == 2:
            raise OSError("disk full")
        written.append(file.name)
        write_shard(tensors, file)

    monkeypatch.setattr(core, "write_shard", failing)
    with pytest.raises(OSError, match="disk full"):
        convert_folder(source, out, max_shard_size=30_000, resume=True)
    assert not out.exists()
    first, written[:] = list(written), []
    monkeypatch.setattr(
        core, "write_shard", lambda tensors, file: (written.append(file.name), write_shard(tensors, file))
    )
    convert_folder(source, out, max_shard_size=30_000, resume=True)
    assert not set(first) & set(written) and len(first) == 2
    whole = convert_folder(source, tmp_path / "at-once", max_shard_size=30_000)
    assert {f.name: f.read_bytes() for f in out.glob("*.safetensors")} == {
        f.name: f.read_bytes() for f in whole.glob("*.safetensors")
    }
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def spoil_with_code(folder):
    (folder / ADAPTER).write_bytes(pickle.dumps({"fc1.bias": Evil()}))


def spoil_shape(folder):
    state = torch.load(folder / ADAPTER, weights_only=True)
    torch.save(state | {"fc2.weight": torch.zeros(32, 7)}, folder / ADAPTER)


def spoil_bias(folder):
    state = torch.load(folder / ADAPTER, weights_only=True)
    del state["fc1.bias"]
    torch.save(state, folder / ADAPTER)


def spoil_name(folder):
    state = torch.load(folder / ENCODER / "pytorch_model.bin", weights_only=True)
    torch.save(state | {"extra.weight": torch.zeros(2)}, folder / ENCODER / "pytorch_model.bin")


def spoil_missing(folder):
    state = torch.load(folder / ENCODER / "pytorch_model.bin", weights_only=True)
    del state["proj.bias"]
    save_file(
        {k: v.clone() for k, v in state.items() if "embed_tokens" not in k}, folder / ENCODER / "model.safetensors"
    )


def spoil_architecture(folder):
    (folder / ENCODER / "config.json").write_text(json.dumps({**CODET5P, "architectures": ["BertModel"]}))


@pytest.mark.parametrize(
    "spoil, error, message",
    [
        (spoil_with_code, ValueError, "plain file of tensors"),
        (spoil_shape, ValueError, "adapter.fc2.weight: shape"),
        (spoil_bias, ValueError, "adapter.pth has no fc1.bias"),
        (spoil_name, ValueError, "encoder.extra.weight: the model has no such weight"),
        (spoil_missing, ValueError, "encoder.proj.bias: missing"),
        (spoil_architecture, ValueError, "expected CodeT5p_Embedding"),
        (lambda folder: (folder / ADAPTER).unlink(), OSError, "lacks adapter-cgm/adapter.pth"),
        (lambda folder: (folder / ENCODER).rename(folder / "other"), OSError, "lacks the folder"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(tmp_path, spoil, error, message):
    source = tmp_path / "source"
    write_published(source)
    spoil(source)
    with pytest.raises(error, match=message):
        convert_folder(source, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
