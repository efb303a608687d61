"""The whole chain with `transformers serve` as the real counterpart: a tiny model of random weights in another process."""

import os
import socket
import subprocess
import sys
import time

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from codefuse_hf.repair.chain import Chain
from codefuse_hf.repair.models import InferenceModel, ModelError
from codefuse_hf.repair.repository import Repository
from helpers.faulty_repository import ISSUES, make_repository
from helpers.models_cgm import word_tokenizer

SERVE = "from transformers.cli.transformers import main; main()"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The folder of a model and the address of a server that has loaded it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("served")
    config = LlamaConfig(
        vocab_size=90, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=4096,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    word_tokenizer(chat=True).save_pretrained(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        SERVE,
        "serve",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    log = open(folder / "serve.log", "w+")  # noqa: SIM115  closed below, after the process
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        wait_for(port, process, folder / "serve.log")
        yield str(folder), f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def wait_for(port, process, log):
    for _ in range(1000):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(log.read_text())


def test_an_answer_and_its_tokens(online, served):
    folder, url = served
    answer = InferenceModel(folder, base_url=url).chat([{"role": "user", "content": "why?"}], max_tokens=5)
    assert answer.usage.completion_tokens == 5 and answer.usage.prompt_tokens > 4 and answer.cut_off
    assert (
        InferenceModel(folder, base_url=url).chat([{"role": "user", "content": "why?"}], max_tokens=5).text
        == answer.text
    )


def test_a_model_that_is_not_there_is_refused(online, served):
    with pytest.raises(ModelError, match="no/such-model at http"):
        InferenceModel("no/such-model", base_url=served[1], retries=0).chat(
            [{"role": "user", "content": "x"}], max_tokens=5
        )


def test_the_chain_reports_that_a_model_of_random_weights_is_no_use(online, served, tmp_path):
    folder, url = served
    root = make_repository(tmp_path / "shop")
    model = InferenceModel(folder, base_url=url, context_tokens=4000, answer_tokens=8)
    with Repository(root, workers=0) as repository:
        outcome = Chain(repository, model=model, attempts=2).run(ISSUES[2])
    assert outcome.patch == "" and outcome.repair.error and len(outcome.repair.attempts) == 2
    assert set(outcome.reranking.paths) <= set(outcome.retrieval.files)
    assert all(stage.usage.prompt_tokens > 100 for stage in outcome.stages if stage.usage.calls)
