"""Every search test has a cache of indexes of its own."""

import pytest
from huggingface_hub import constants


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("hf_home")
    monkeypatch.setattr(constants, "HF_HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(folder))
    return folder
