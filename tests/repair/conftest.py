"""Models of tests in this folder are behind real sockets, which `huggingface_hub` does not reach in offline mode."""

import pytest


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
