"""`CGEModel.encode`."""

import numpy as np
import pytest
import torch

from codefuse_hf import CGEModel

TEXTS = ["def add(a, b): return a + b", "x", "the largest of the given numbers " * 5, "", "a much longer text " * 100]


def embed_one(model, tokenizer, text, max_length=128):
    ids = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")["input_ids"].long()
    with torch.no_grad():
        return model(ids).embedding[0].numpy()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_encode_restores_the_order(make_model, tokenizer, side, batch_size):
    model = make_model(padding_side=side)
    expected = np.stack([embed_one(model, tokenizer, text) for text in TEXTS])
    np.testing.assert_allclose(model.encode(TEXTS, tokenizer, batch_size=batch_size), expected, atol=1e-5)


def test_the_published_argument_order(make_model, tokenizer):
    model = make_model()
    np.testing.assert_array_equal(model.encode(tokenizer, TEXTS), model.encode(TEXTS, tokenizer))
    np.testing.assert_array_equal(model.encode(tokenizer, TEXTS[0]), model.encode(TEXTS[0], tokenizer))


def test_tokenizer_comes_from_the_models_folder(make_model, tokenizer, tmp_path):
    make_model().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = CGEModel.from_pretrained(tmp_path)
    np.testing.assert_array_equal(model.encode(TEXTS), model.encode(TEXTS, tokenizer))


def test_without_any_tokenizer(make_model, tmp_path):
    with pytest.raises(ValueError, match=r"pass one: encode\(texts, tokenizer\)"):
        make_model().encode(TEXTS)
    make_model().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"pass one: encode\(texts, tokenizer\)"):
        CGEModel.from_pretrained(tmp_path).encode(TEXTS)


def test_kinds_of_output(make_model, tokenizer):
    model = make_model()
    array = model.encode(TEXTS, tokenizer)
    assert isinstance(array, np.ndarray) and array.shape == (5, 32) and array.dtype == np.float32
    tensor = model.encode(TEXTS, tokenizer, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor) and tensor.shape == (5, 32)
    vectors = model.encode(TEXTS, tokenizer, convert_to_numpy=False)
    assert isinstance(vectors, list) and vectors[0].shape == (32,)
    assert model.encode("x", tokenizer).shape == (32,)
    assert model.encode([], tokenizer).shape == (0, 32)


def test_bfloat16_gives_numpy_arrays(make_model, tokenizer):
    assert make_model().to(torch.bfloat16).encode(["x"], tokenizer).dtype == np.float32


@pytest.mark.parametrize("position", ["before", "after"])
def test_prompt_position_is_the_checkpoints(make_model, tokenizer, position):
    model = make_model(prompt_position=position)
    joined = "Code: x = 1" if position == "before" else "x = 1Code: "
    np.testing.assert_allclose(
        model.encode("x = 1", tokenizer, prompt="Code: "), embed_one(model, tokenizer, joined), atol=1e-6
    )
    other = "after" if position == "before" else "before"
    assert (
        np.abs(
            model.encode("x = 1", tokenizer, prompt="Code: ", prompt_position=other)
            - embed_one(model, tokenizer, joined)
        ).max()
        > 1e-3
    )


def test_a_prompt_after_a_long_text_is_not_cut_off(make_model, tokenizer):
    model = make_model(prompt_position="after", inf_seq_length=40)
    ids, prompt = tokenizer("word " * 100)["input_ids"], tokenizer("Code:")["input_ids"]
    with torch.no_grad():
        expected = model(torch.tensor([ids[: 40 - len(prompt)] + prompt])).embedding[0].numpy()
    np.testing.assert_allclose(model.encode("word " * 100, tokenizer, prompt="Code:"), expected, atol=1e-6)


def test_a_prompt_that_leaves_no_room_is_refused(make_model, tokenizer):
    with pytest.raises(ValueError, match="leaves no room for a text within 3 tokens"):
        make_model(prompt_position="after").encode("x", tokenizer, prompt="Retrieve the code:", max_length=3)


def test_one_text_of_a_hundred_thousand_tokens(make_model, tokenizer):
    model = make_model()
    text = "x " * 50_000
    assert len(tokenizer(text)["input_ids"]) >= 100_000
    vector = model.encode(text, tokenizer)
    assert np.isfinite(vector).all()
    np.testing.assert_allclose(vector, embed_one(model, tokenizer, text), atol=1e-6)


def test_empty_texts_are_defined(make_model, tokenizer):
    model = make_model()
    vectors = model.encode(["", ""], tokenizer)
    assert np.isfinite(vectors).all() and np.allclose(np.linalg.norm(vectors, axis=1), 1)
    np.testing.assert_allclose(model.encode(["", "x"], tokenizer)[0], vectors[0], atol=1e-6)


def test_truncated_dimensions_are_normalised_again(make_model, tokenizer):
    model = make_model()
    whole, part = model.encode(TEXTS, tokenizer), model.encode(TEXTS, tokenizer, truncate_dim=8)
    np.testing.assert_allclose(part, whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True), atol=1e-6)


def test_progress_bar(make_model, tokenizer, capsys):
    make_model().encode(TEXTS, tokenizer, batch_size=2, show_progress_bar=True)
    assert "Batches" in capsys.readouterr().err
    make_model().encode(TEXTS, tokenizer)
    assert "Batches" not in capsys.readouterr().err


def test_training_mode_is_restored_and_drops_nothing(make_model, tokenizer):
    model = make_model()
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.5
    ids = tokenizer(TEXTS[0], return_tensors="pt")["input_ids"].long()
    expected = model.encode(TEXTS, tokenizer)
    model.train()
    assert not torch.equal(model(ids).embedding, model(ids).embedding)  # it would drop something
    np.testing.assert_array_equal(model.encode(TEXTS, tokenizer), expected)
    assert model.training


@pytest.mark.parametrize("texts", [None, 5, [1, 2], ["a", None], {"a": 1}, [b"x"]])
def test_what_is_not_text_is_refused(make_model, tokenizer, texts):
    with pytest.raises(TypeError):
        make_model().encode(texts, tokenizer)


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"max_length": 0}, {"truncate_dim": 33}, {"truncate_dim": 0}])
def test_impossible_arguments_are_refused(make_model, tokenizer, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make_model().encode(["x"], tokenizer, **arguments)


def test_a_tokenizer_without_a_pad_token(make_model, tokenizer):
    import copy

    bare = copy.deepcopy(tokenizer)
    bare.pad_token = None
    model = make_model()
    np.testing.assert_array_equal(model.encode(TEXTS, bare), model.encode(TEXTS, tokenizer))
