"""transformers' own tests for every model, run on the CGM classes as they are, with a graph in every input.

None of those that transformers publishes is changed or left out; those that do not apply skip themselves, and say why. Its
tests of generation and of exporting are not in its source distribution (empty classes stand in for them, see
`transformers_common_tests.py`): the tests of generation of this folder cover the same subjects.
"""

import random
import unittest

import torch

from codefuse_hf import CGMConfig, CGMForCausalLM, CGMModel
from helpers import transformers_common_tests
from helpers.models_cgm import WIDTH, text_config

common, config_common, training_common = transformers_common_tests.load_or_skip(
    "test_modeling_common", "test_configuration_common", "test_training_mixin"
)


class CGMTester:
    """Makes the small models and the inputs, in the form that the common tests expect."""

    base_model_class = CGMModel
    causal_lm_class = CGMForCausalLM
    batch_size, seq_length, is_training = 3, 7, True
    nodes = 4
    vocab_size, hidden_size, num_hidden_layers, num_attention_heads = 90, 32, 2, 4

    def __init__(self, parent: unittest.TestCase):
        self.parent = parent
        # Node tokens stand before the text.
        self.encoder_seq_length = self.key_length = self.seq_length + self.nodes

    def get_config(self) -> CGMConfig:
        return CGMConfig(text_config(initializer_range=0.02), embedding_dim=WIDTH, adapter_hidden_dim=20)

    def prepare_config_and_inputs_for_common(self) -> tuple[CGMConfig, dict]:
        generator = torch.Generator().manual_seed(random.randrange(2**31))
        ids = torch.randint(3, self.vocab_size, (self.batch_size, self.seq_length), generator=generator)
        adjacency = torch.rand(self.batch_size, self.nodes, self.nodes, generator=generator) < 0.4
        return self.get_config(), {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "node_embeddings": torch.randn(self.batch_size, self.nodes, WIDTH, generator=generator),
            "adjacency": adjacency,
        }


class TestCGM(
    common.ModelTesterMixin, training_common.TrainingTesterMixin, common.GenerationTesterMixin, unittest.TestCase
):
    all_model_classes = (CGMModel, CGMForCausalLM)
    # Otherwise one test is for transformers' own newer models only.
    test_can_init_all_missing_weights_before_2023 = True
    model_tester = None
    _is_composite = True

    def setUp(self) -> None:
        self.model_tester = CGMTester(self)
        self.config_tester = config_common.ConfigTester(
            self, config_class=CGMConfig, has_text_modality=False, adapter_hidden_dim=20, embedding_dim=WIDTH
        )

    def test_config(self) -> None:
        self.config_tester.run_common_tests()
