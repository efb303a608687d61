"""The wrapper around mteb, against a stand-in: the real one downloads its data."""

import sys
import types
from types import SimpleNamespace

import pytest

from codefuse_hf.metrics.mteb_code import run_mteb_code


@pytest.fixture
def calls(monkeypatch):
    calls = []
    tasks = [SimpleNamespace(metadata=SimpleNamespace(name=name)) for name in ("CosQA", "AppsRetrieval")]
    stand_in = types.ModuleType("mteb")
    stand_in.get_benchmark = lambda name: calls.append(name) or SimpleNamespace(tasks=tasks)
    stand_in.ResultCache = lambda path: ("cache", path)
    stand_in.evaluate = lambda model, chosen, **kwargs: (model, [t.metadata.name for t in chosen], kwargs)
    monkeypatch.setitem(sys.modules, "mteb", stand_in)
    return calls


def test_all_tasks_of_the_benchmark(calls, tmp_path):
    model = object()
    result = run_mteb_code(model, output_folder=tmp_path)
    assert calls == ["MTEB(Code, v1)"]
    assert result == (model, ["CosQA", "AppsRetrieval"], {"cache": ("cache", str(tmp_path))})


def test_chosen_tasks(calls):
    assert run_mteb_code(object(), tasks=["CosQA"])[1] == ["CosQA"]
    with pytest.raises(ValueError, match="no task 'Nonsense': expected some of CosQA, AppsRetrieval"):
        run_mteb_code(object(), tasks=["Nonsense"])


def test_a_models_own_code_is_run_only_on_request(calls, monkeypatch):
    trusted = []
    stand_in = types.ModuleType("sentence_transformers")
    stand_in.SentenceTransformer = lambda name, trust_remote_code: trusted.append(trust_remote_code)
    monkeypatch.setitem(sys.modules, "sentence_transformers", stand_in)
    run_mteb_code("somebody/model")
    run_mteb_code("somebody/model", trust_remote_code=True)
    assert trusted == [False, True]


def test_missing_package_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(ImportError, match="pip install 'mteb>=2'"):
        run_mteb_code(object())
