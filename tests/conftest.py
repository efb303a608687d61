"""Common to all tests: few threads, no network, seeds."""

import gc
import os

# Before the first import of the libraries that read them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest
from hypothesis import settings

from helpers import GOLDEN, TESTS

# How many random examples a test tries that does not say so itself; `.ci/check` chooses the smaller number.
settings.register_profile("gate", max_examples=40, deadline=None)
settings.register_profile("check", max_examples=8, deadline=None)
settings.load_profile("gate")

# What takes long by construction: whole runs, processes of their own, compilers, many random examples. `.ci/check` leaves it out.
# Folders, files, or `file::test`; what begins so is meant.
SLOW = (
    "benchmarks/",
    "cli/",
    "demo/test_app.py",
    "docs/test_blocks.py",
    "docs/test_site.py",
    "examples/",
    "export/test_exported_",
    "export/test_generating_folders.py::test_a_chat_in_a_terminal_says_what_pytorch_says",
    "export/test_generating_folders.py::test_the_command_prints_what_generate_gives_and_how_fast[onnx]",
    "export/test_generating_folders.py::test_the_command_prints_what_generate_gives_and_how_fast[openvino]",
    "export/test_generating_folders.py::test_weights_in_8_bits_are_small_and_predict_the_same",
    "export/test_quantized_loading.py::test_the_peak_is_little_more_than_the_model",
    "graph/build/test_incremental.py",
    "graph/formats/test_page.py",
    "graph/languages/python/test_python_deep.py::test_deep_blocks",
    "graph/languages/python/test_python_deep.py::test_deep_definitions",
    "graph/languages/python/test_python_fuzz.py",
    "graph/languages/python/test_python_robust.py::test_generated_file_of_a_megabyte_takes_seconds",
    "graph/languages/python/test_python_states.py",
    "graph/languages/test_toy_language.py",
    "graph/languages/test_tree_sitter.py",
    "graph/test_graph_accuracy.py",
    "graph/test_graph_command.py",
    "hub/",
    "kernels/interpreted/",
    "kernels/test_gated_linear_attention.py::test_exported_operator_serves_every_length",
    "kernels/test_gradients_by_hand.py::test_values_gated_within_the_recurrence",
    "kernels/test_triton_kernels.py::test_in_the_interpreter",
    "kernels/test_triton_launches.py",
    "modeling/cge/test_exported_cge.py",
    "modeling/cge/test_sentence_transformers_cge.py",
    "modeling/cge/test_training_cge.py",
    "modeling/cgm/test_common_cgm.py",
    "modeling/cgm/test_generation_cgm.py::test_compiled_decoding",
    "modeling/cgm/test_processing_cgm.py",
    "modeling/rodimus/test_common_rodimus.py",
    "modeling/rodimus/test_compiled_rodimus.py",
    "modeling/rodimus/test_generation_modes_rodimus.py::test_generation_by_a_compiled_forward",
    "modeling/rodimus/test_generation_rodimus.py::test_compiled_decoding_step",
    "modeling/rodimus/test_generation_rodimus.py::test_state_resumes_in_another_process",
    "notebooks/",
    "repair/test_fix_command.py",
    "repair/test_transformers_serve.py",
    "search/test_code_index.py::test_benchmark_measures_memory",
    "search/test_default_model.py",
    "search/test_index_place.py::test_two_runs_at_once",
    "serving/",
    "test_gate.py",
    "test_package.py",
    "test_quickstart.py",
    "test_registration.py",
    "training/test_cgm_corpus.py::test_datatrove_goes_on_after_a_death",
    "training/test_cgm_corpus.py::test_datatrove_makes_what_datasets_makes",
    "training/test_cgm_corpus.py::test_datatrove_reports_a_failing_repository",
    "training/test_cgm_finetune.py::test_trainer_with_lora_and_the_whole_adapter_on_records",
    "training/test_distributed_rodimus.py",
    "training/test_peft_rodimus.py",
    "training/test_trainer_rodimus.py",
    "training/test_training_cgm.py::test_trainer_from_a_data_set_to_a_folder",
    "training/test_training_cgm.py::test_two_processes_train_as_one",
)


def pytest_configure(config):
    gc.disable()


def pytest_ignore_collect(collection_path, config):
    """Has `.ci/check` not even import files of which every test is slow: that takes seconds in each worker."""
    if config.option.markexpr == "not slow" and collection_path.is_relative_to(TESTS):
        path = collection_path.relative_to(TESTS).as_posix() + "/" * collection_path.is_dir()
        if path.startswith(tuple(each for each in SLOW if "::" not in each)):
            return True
    return None


def pytest_collection_modifyitems(items):
    """Marks what is `slow`; tests marked `gpu` are skipped where there is none."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            if f"{item.path.relative_to(TESTS).as_posix()}::{item.name}".startswith(SLOW):
                item.add_marker(pytest.mark.slow)
    if not any("gpu" in item.keywords for item in items):
        return
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_collection_finish(session):
    """Has the garbage collector look once at what imports and collection made, a million objects that stay, and not again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config):
    gc.unfreeze()  # else libraries find at the end that something was not freed, and say so


@pytest.fixture
def golden() -> Path:
    """The folder of cases with known answers."""
    return GOLDEN


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium, driven by selenium."""
    from helpers.browser import open_browser

    yield from open_browser(tmp_path_factory.mktemp("chromium"))
