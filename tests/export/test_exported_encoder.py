"""Classifiers as graphs that take any batch, length and padding."""

import pytest
import torch

from codefuse_hf import RodimusConfig, RodimusForSequenceClassification
from codefuse_hf.export.exported_encoder import ExportedEncoder
from codefuse_hf.export.exporting import export_encoder
from helpers.models_rodimus import BLOCKS, make_config, make_ids


@pytest.mark.parametrize("block_type", BLOCKS)
@torch.no_grad()
def test_a_classifier_gives_pytorchs_logits(block_type, tmp_path):
    pytest.importorskip("transformers.exporters")
    torch.manual_seed(0)
    config = RodimusConfig(**make_config(BLOCKS[block_type] | {"n_layer": 1}), num_labels=3, pad_token_id=0)
    model = RodimusForSequenceClassification(config).eval()
    export_encoder(model, "dynamo").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="can run code when it is read"):
        ExportedEncoder.from_pretrained(tmp_path)
    exported = ExportedEncoder.from_pretrained(tmp_path, trust_remote_code=True)
    for batch, length in ((1, 1), (2, 9), (2, 64), (3, 140)):
        ids = make_ids(batch, length, vocab_size=60) + 1
        mask = torch.ones_like(ids)
        mask[0, : length // 3] = 0
        ids = ids * mask
        expected = model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(exported(ids, mask), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(exported(ids + 1 - mask), exported(ids + 1 - mask, torch.ones_like(ids).int()))
    with pytest.raises(ValueError, match="input_ids must be from 0 to"):
        exported(ids - 1 - mask)
