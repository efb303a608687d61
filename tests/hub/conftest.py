"""A Hub for the tests of the Hub's border."""

from collections.abc import Callable

import pytest

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
