"""How embedding models are called, named and loaded."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from codefuse_hf.search.encoder import Encoder, same_probe


class Recorded:
    def __init__(self, vectors):
        self.vectors, self.calls = np.array(vectors), []

    def encode_document(self, texts, **options):
        self.calls.append((texts, options))
        return self.vectors

    encode_query = encode_document


def test_vectors_have_length_1_in_float32_and_nothing_stays_nothing():
    encoder = Encoder(Recorded([[3.0, 4.0], [0.03, 0.04], [0.0, 0.0]]))
    vectors = encoder.encode(["a", "b", "c"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0.6, 0.8], [0, 0]], rtol=1e-6)


def test_models_are_asked_for_arrays_without_progress_bars():
    model = Recorded([[1.0, 0.0]])
    encoder = Encoder(model, batch_size=7)
    encoder.encode(["a\udcff"])
    assert encoder.encode_query("ü").tolist() == [1, 0]
    quiet = {"convert_to_numpy": True, "show_progress_bar": False}
    assert model.calls == [(["a?"], {"batch_size": 7, **quiet}), (["ü"], quiet)]


def test_models_have_names(tmp_path, monkeypatch):
    model = Recorded([[1.0]])
    assert Encoder(model).name == "Recorded"
    model.model_card_data = SimpleNamespace(base_model="someone/model")
    assert Encoder(model).name == "someone/model"
    loaded = []
    fake = SimpleNamespace(SentenceTransformer=lambda name, trust_remote_code: loaded.append((name, trust_remote_code)))
    monkeypatch.setitem(sys.modules, "sentence_transformers", fake)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert Encoder("folder", trust_remote_code=True).name == str(tmp_path / "folder")
    assert Encoder("someone/model").name == "someone/model"
    assert loaded == [("folder", True), ("someone/model", False)]


@pytest.mark.parametrize(
    ("trusted", "said", "message"),
    [
        (False, "set trust_remote_code=True", "carries code of its own"),
        (True, "set trust_remote_code=True", "^set trust_remote_code=True$"),
        (False, "no such model", "^no such model$"),
    ],
)
def test_a_model_that_carries_code_is_named(monkeypatch, trusted, said, message):
    def refuse(name, trust_remote_code):
        raise ValueError(said)

    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=refuse))
    with pytest.raises(ValueError, match=message):
        Encoder("someone/model", trust_remote_code=trusted)


def test_probes_of_one_model_differ_in_their_last_digits():
    probe = np.array([0.6, 0.8])
    assert same_probe(probe, probe * 0.9995) and not same_probe(probe, probe * 0.998)
    assert not same_probe(probe, -probe) and not same_probe(probe, np.array([0.6, 0.8, 0.0]))
