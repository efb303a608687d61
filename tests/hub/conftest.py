"""A Hub for the tests of the Hub's border."""

from collections.abc import Callable

import pytest
from huggingface_hub import constants

from helpers.hub_server import running_hub


@pytest.fixture(scope="module")
def hub():
    """A running Hub, empty at the start of a test module: its memory. Its address: `hub.url`."""
    with running_hub() as (memory, url):
        memory.url = url
        yield memory


@pytest.fixture
def environment(hub, tmp_path) -> Callable[..., dict[str, str | None]]:
    """Environment of a client of the Hub, with an empty cache; `token=None` for a stranger."""

    def of(token: str | None = "hf_user") -> dict[str, str | None]:
        return {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf_home"),
            "HF_TOKEN": token,
            "HF_HUB_OFFLINE": None,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": None,
        }

    return of


@pytest.fixture
def client(hub, monkeypatch, tmp_path):
    """Lets this process be a client of the local Hub, with the token of `user`."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_user")
    return hub
