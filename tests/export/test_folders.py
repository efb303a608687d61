"""What does not need an export: cards, refusals, the writer of a terminal."""

import io
import shutil
from types import SimpleNamespace

import pytest
import torch

from codefuse_hf import RodimusConfig, RodimusForSequenceClassification
from codefuse_hf.cli import main
from codefuse_hf.export import exported_encoder, folders
from codefuse_hf.export.engines import ENGINES
from codefuse_hf.export.folders import _check_error
from codefuse_hf.export.formats import FORMATS
from codefuse_hf.export.quantizing import _Weights, make_quantizer
from codefuse_hf.export.terminal import Writer
from codefuse_hf.hub.exported_folder import EXPORT_FORMATS
from codefuse_hf.modeling.cache_names import CACHE_NAME
from helpers.exporting import exported_folder, needs_format
from helpers.models_rodimus import BLOCKS, make_config, make_model


def test_every_format_can_be_written_run_and_published_by_name():
    assert set(EXPORT_FORMATS) == set(FORMATS) == set(ENGINES)


def test_a_destination_that_is_taken_is_refused(tmp_path, capsys):
    pytest.importorskip("transformers.exporters")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    make_model(BLOCKS["rodimus"]).save_pretrained(tmp_path / "model")
    arguments = ["export", str(tmp_path / "model"), str(tmp_path / "out"), "--format", "dynamo"]
    assert main(arguments) == 1
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_other_models_are_refused(tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    pytest.importorskip("transformers.exporters")
    LlamaForCausalLM(
        LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    ).save_pretrained(tmp_path / "llama")
    with pytest.raises(ValueError, match="only Rodimus and CGE"):
        folders.export_folder(tmp_path / "llama", tmp_path / "out", "dynamo")
    assert not (tmp_path / "out").exists()


def test_quantisation_is_refused_where_there_is_none():
    model = make_model(BLOCKS["rodimus"])
    with pytest.raises(ValueError, match="unknown quantisation 'int3'"):
        make_quantizer(model, "onnx", "int3")
    with pytest.raises(ValueError, match="'executorch' has no weights in int8"):
        make_quantizer(model, "executorch", "int8")


def test_gates_are_found_in_a_graph_by_what_they_hold():
    model = make_model(BLOCKS["rodimus"])
    inner = model.model.layers[0].mixer.inner_mixer
    kept = _Weights([inner.mem_gate_proj.weight, inner.mem_gate_proj.bias])
    array = inner.mem_gate_proj.weight.detach().numpy()
    assert array in kept and array.T in kept and array.T.copy() in kept
    assert inner.in_proj.weight.detach().numpy() not in kept


class _Letters:
    """A tokenizer of letters, enough for the writer."""

    chat_template = "yes"
    pad_token_id = eos_token_id = 0

    def __call__(self, text, **kwargs):
        return {"input_ids": torch.tensor([[ord(letter) % 61 for letter in text]], dtype=torch.long).reshape(1, -1)}

    def decode(self, ids, **kwargs):
        return "".join(chr(int(i)) for i in ids)

    def apply_chat_template(self, messages, **kwargs):
        # As the published template: what was said before is not written in another way.
        ids = []
        for message in messages:
            ids += [*[ord(letter) % 61 for letter in message["content"]], 1]
        return {"input_ids": torch.tensor([ids])}


def test_writing_a_text_shows_tokens_speed_and_memory(capsys):
    model, out = make_model(BLOCKS["rodimus_plus"]), io.StringIO()
    new = Writer(model, _Letters(), new_tokens=5, file=out).complete("hello ")
    assert len(new) <= 5 and out.getvalue().startswith("hello ")
    report = capsys.readouterr().err
    assert "tokens/s" in report and "of memory" in report
    with pytest.raises(ValueError, match="the prompt is empty"):
        Writer(model, _Letters(), new_tokens=5, file=out).complete("")


def test_a_chat_goes_on_from_its_memory_and_gives_what_a_new_start_gives(monkeypatch):
    model, out = make_model(BLOCKS["rodimus"]), io.StringIO()
    model.generation_config.eos_token_id = None
    writer, seen = Writer(model, _Letters(), new_tokens=4, file=out), []
    generate = model.generate

    def spy(ids, **kwargs):
        had = kwargs[CACHE_NAME].layers[0].has_previous_state[0]
        result = generate(ids, **kwargs)
        seen.append((had, ids, result.sequences))
        return result

    monkeypatch.setattr(model, "generate", spy)
    writer.chat(["one", "two"])
    assert [had for had, *_ in seen] == [False, True]
    settings = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0}
    for _, ids, sequences in seen:
        fresh = generate(ids, attention_mask=torch.ones_like(ids), **settings)
        assert torch.equal(fresh, sequences)


def test_a_model_without_a_template_is_no_chat_model():
    tokenizer = SimpleNamespace(chat_template=None, pad_token_id=0, eos_token_id=0)
    with pytest.raises(ValueError, match="no chat template"):
        Writer(make_model(BLOCKS["rodimus"]), tokenizer, 3).chat(["hello"])


@pytest.mark.parametrize("quantization", [None, "int8", "int4"])
def test_a_result_that_is_not_the_model_is_refused_and_near_ties_are_not(quantization):
    torch.manual_seed(0)
    # Logits that lead by next to nothing, as those of rows that were never trained.
    expected = 1e-3 * torch.randn(96, 500)
    expected[:, 250:] = expected[:, :250]
    noise, most = torch.randn_like(expected), folders._LOGITS[quantization]
    few = {None: 1e-6, "int8": 0.05, "int4": 0.4}[quantization]
    error = _check_error(expected, expected + few * noise * expected.std(dim=-1, keepdim=True), most)
    assert error < 2 * few
    for wrong in (expected.flip(0), expected * torch.nan, torch.zeros_like(expected)):
        with pytest.raises(ValueError, match="differs from PyTorch"):
            _check_error(expected, wrong, most)
    assert _check_error(torch.zeros(3, 5), torch.zeros(3, 5), most) == 0


@needs_format("onnx")
@pytest.mark.parametrize("quantization", [None, "int8", "int4"])
def test_another_models_graph_is_not_put_in_place(quantization, tmp_path, monkeypatch):
    torch.manual_seed(1)
    make_model(BLOCKS["rodimus"] | {"n_layer": 1}).save_pretrained(tmp_path / "model")
    other = exported_folder("rodimus", "onnx")
    written = SimpleNamespace(save_pretrained=lambda folder: shutil.copytree(other, folder, dirs_exist_ok=True))
    monkeypatch.setattr(folders, "export_causal_lm", lambda *args, **kwargs: written)
    with pytest.raises(ValueError, match="differs from PyTorch"):
        folders.export_folder(tmp_path / "model", tmp_path / "out", "onnx", quantization)
    assert not (tmp_path / "out").exists()


def test_the_one_score_of_a_classifier_is_compared(tmp_path, monkeypatch):
    torch.manual_seed(0)
    config = RodimusConfig(**make_config(BLOCKS["rodimus"] | {"n_layer": 1}), num_labels=1, pad_token_id=0)
    model = RodimusForSequenceClassification(config).eval()

    def runs(change):
        run = SimpleNamespace(from_pretrained=lambda *a, **k: lambda ids, mask: change(model(ids, mask).logits))
        monkeypatch.setattr(exported_encoder.ExportedEncoder, "from_pretrained", run.from_pretrained)
        return folders._check_encoder(model, tmp_path, None)

    assert runs(lambda scores: scores)["relative_error"] == 0
    with pytest.raises(ValueError, match="differs from PyTorch"):
        runs(lambda scores: 2 * scores)  # of the same sign: a cosine of 1
