"""transformers' own tests for every model, run on the Rodimus classes as they are.

None of those that transformers publishes is changed or left out; those that do not apply skip themselves, and say why. Its
tests of generation and of exporting are not in its source distribution (empty classes stand in for them, see
`transformers_common_tests.py`): the tests of generation of this folder cover the same subjects.
"""

import random
import unittest

import torch

import codefuse_hf  # noqa: F401 - registers the models
from codefuse_hf import RodimusConfig, RodimusForCausalLM, RodimusForSequenceClassification, RodimusModel
from helpers import transformers_common_tests

common, config_common, training_common = transformers_common_tests.load_or_skip(
    "test_modeling_common", "test_configuration_common", "test_training_mixin"
)


class RodimusTester:
    """Makes the small models and the inputs, in the form that the common tests expect."""

    base_model_class = RodimusModel
    causal_lm_class = RodimusForCausalLM
    batch_size, seq_length, is_training = 3, 7, True
    vocab_size, hidden_size, num_hidden_layers, num_attention_heads = 99, 32, 2, 4
    intermediate_size = 48

    def __init__(self, parent: unittest.TestCase, block_type: str):
        self.parent, self.block_type = parent, block_type

    def get_config(self) -> RodimusConfig:
        return RodimusConfig(
            vocab_size=self.vocab_size,
            d_model=self.hidden_size,
            n_layer=self.num_hidden_layers,
            block_type=self.block_type,
            mixer_cfg={"mem_size": 16},
            attn_cfg={"num_heads": self.num_attention_heads, "num_heads_k": 1, "window_size": 8},
            max_position_embeddings=512,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )

    def prepare_config_and_inputs_for_common(self) -> tuple[RodimusConfig, dict]:
        generator = torch.Generator().manual_seed(random.randrange(2**31))
        ids = torch.randint(3, self.vocab_size, (self.batch_size, self.seq_length), generator=generator)
        return self.get_config(), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


class CommonTests(common.ModelTesterMixin, training_common.TrainingTesterMixin, common.GenerationTesterMixin):
    all_model_classes = (RodimusModel, RodimusForCausalLM, RodimusForSequenceClassification)
    # Otherwise one test is for transformers' own newer models only.
    test_can_init_all_missing_weights_before_2023 = True
    model_tester = None
    block_type = "rodimus"

    def setUp(self) -> None:
        self.model_tester = RodimusTester(self, self.block_type)
        self.config_tester = config_common.ConfigTester(self, config_class=RodimusConfig, d_model=64, n_layer=3)

    def test_config(self) -> None:
        self.config_tester.run_common_tests()


class TestRodimus(CommonTests, unittest.TestCase):
    has_attentions = False


class TestRodimusPlus(CommonTests, unittest.TestCase):
    block_type = "rodimus_plus"
