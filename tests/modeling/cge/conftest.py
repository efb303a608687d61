"""Tiny models and a tokenizer for the CGE tests."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from codefuse_hf import CGEConfig, CGEModel
from helpers.models_cge import BACKBONES, CORPUS, VOCAB


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")


@pytest.fixture(scope="session")
def make_model():
    """Builds a seeded tiny `CGEModel` in evaluation mode: `make_model(backbone="qwen2", **config_keys)`."""

    def make(backbone: str = "qwen2", seed: int = 0, **keys) -> CGEModel:
        torch.manual_seed(seed)
        keys = {"compress_dim": 32, "pma_num_heads": 4, "inf_seq_length": 128, **keys}
        model = CGEModel(CGEConfig(BACKBONES[backbone](), **keys)).eval()
        with torch.no_grad():  # a fresh pooling is nearly uniform: make every part of it matter
            for name, parameter in model.named_parameters():
                if name.startswith("mha_pma"):
                    parameter.add_(0.3 * torch.randn_like(parameter))
        return model

    return make


@pytest.fixture
def uneven_batch():
    """Ids and masks `[4, 12]` of rows of 12, 7, 1 and 5 tokens, padded right, left and around the tokens."""
    generator = torch.Generator().manual_seed(1)
    lengths, width = (12, 7, 1, 5), 12
    rows = [torch.randint(2, VOCAB, (length,), generator=generator) for length in lengths]

    def pad(left_of_row):
        ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
        for index, row in enumerate(rows):
            start = left_of_row(len(row))
            ids[index, start : start + len(row)] = row
            mask[index, start : start + len(row)] = 1
        return ids, mask

    return {
        "rows": rows,
        "right": pad(lambda n: 0),
        "left": pad(lambda n: width - n),
        "middle": pad(lambda n: (width - n) // 2),
    }
