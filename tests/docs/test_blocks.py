"""The documents' code blocks run as they stand there, section by section, with tiny stand-ins for models and repositories.

A block that cannot run here has a comment before it, which the doctest tool reads: `<!-- skip: next "why" -->`.
"""

from unittest import SkipTest

import pytest
from sybil import Sybil
from sybil.example import NotEvaluated
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from codefuse_hf.training.text_corpus import BlockDataset
from helpers import TESTS
from helpers.chat_server import chat_server
from helpers.faulty_repository import right_model
from helpers.hub_server import running_hub
from helpers.workplace import CHAT_MODEL, make_workplace, run_shell

ROOT = TESTS.parent
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/ARCHITECTURE.md",
    "docs/SERVING.md",
    "docs/getting_started.md",
    "codefuse_hf/search/default_model/README.md",
)
SERVED, CHAT = 8000, 8080  # ports of the servers in the documents
pytestmark = pytest.mark.timeout(1800)


def run_block(example) -> None:
    run_shell(example.parsed, **example.namespace["shell"])


SYBIL = Sybil([PythonCodeBlockParser(), CodeBlockParser("bash", run_block), SkipParser()], pattern="*.md")


def blocks_by_section(document: str) -> dict[str, list]:
    """The examples that the doctest tool finds, under the title of their section."""
    found: dict[str, list] = {}
    for example in SYBIL.parse(ROOT / document).examples():
        title = example.document.text[: example.start].rpartition("\n## ")[2].partition("\n")[0]
        found.setdefault(title, []).append(example)
    return found


SECTIONS = [(document, title) for document in DOCUMENTS for title in blocks_by_section(document)]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """The names that blocks take for granted; the working directory is one with stand-ins in it."""
    import torch
    from transformers import AutoTokenizer, TrainingArguments

    make_workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    turns = iter(["What does it do?", "And then?", ""])
    with running_hub() as (hub, url):
        hub.tokens["hf_me"] = "me"
        online = {"HF_ENDPOINT": url, "HF_TOKEN": "hf_me", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        yield {
            "shell": {"folder": tmp_path, "HF_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1", **online},
            "input": lambda prompt: next(turns),
            "tokenizer": AutoTokenizer.from_pretrained(CHAT_MODEL),
            "dataset": BlockDataset(torch.arange(96) % 200, 16),
            "arguments": TrainingArguments("out", report_to="none"),
        }


@pytest.fixture
def server(request, workplace):
    """What listens at the port of the documents while their blocks run."""
    _, title = request.getfixturevalue("section")
    try:
        if title == "From an issue to a patch":
            with chat_server(right_model, CHAT):
                yield
        elif title.startswith("Language models"):
            from codefuse_hf.serving import Server

            server = Server("./my-rodimus", port=SERVED, device="cpu")
            server.start()
            yield
            server.stop()
        else:
            yield
    except OSError as error:
        pytest.skip(f"the port of the documents is taken: {error}")


@pytest.mark.parametrize("section", SECTIONS, ids=" ".join)
def test_blocks_run(section, workplace, server):
    document, title = section
    reasons, ran = [], 0
    examples = blocks_by_section(document)[title]
    examples[0].document.namespace.update(workplace)
    for example in examples:
        try:
            example.evaluate()
            ran += isinstance(example.parsed, str)
        except SkipTest as reason:
            reasons.append(str(reason))
        except NotEvaluated:
            raise AssertionError(f"{document}, line {example.line}: skipped without a reason") from None
    if not ran:
        pytest.skip("; ".join(reasons))


def test_most_blocks_run():
    """Guards the test above: blocks are found, and few of them are left out."""
    examples = [example for document in DOCUMENTS for each in blocks_by_section(document).values() for example in each]
    left_out = sum(isinstance(example.parsed, tuple) for example in examples)
    assert len(examples) - left_out > 25 and left_out < len(examples) / 3
