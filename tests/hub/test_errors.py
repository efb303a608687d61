"""What the Hub's client says becomes one sentence that names the way out."""

import httpx
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from codefuse_hf.hub.errors import explained, needed_token


def answer(status: int) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("GET", "https://hub/x"))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (HFValidationError("too long"), ValueError, "'user/x' is no repo id; expected user/name: too long"),
        (LocalTokenNotFoundError("none"), PermissionError, "cannot fetch user/x: no token found; log in"),
        (
            GatedRepoError("no", response=answer(403)),
            PermissionError,
            "cannot fetch user/x: it is gated; ask for access",
        ),
        (
            RepositoryNotFoundError("no", response=answer(404)),
            FileNotFoundError,
            "cannot fetch user/x: no such repository",
        ),
        (
            RevisionNotFoundError("no", response=answer(404)),
            FileNotFoundError,
            "cannot fetch user/x: it has no such revision",
        ),
        (OfflineModeIsEnabled("off"), ConnectionError, "cannot fetch user/x: HF_HUB_OFFLINE is set"),
        (HfHubHTTPError("a\nb", response=answer(401)), PermissionError, r"the token is not valid \(a\); log in"),
        (HfHubHTTPError("a\nb", response=answer(403)), PermissionError, r"this account lacks the permission \(a\)$"),
        (
            HfHubHTTPError("a\nb", response=answer(500)),
            OSError,
            r"cannot fetch user/x: https?://\S+ answered 500 \(a\)$",
        ),
        (HfHubHTTPError("a", response=answer(500), server_message="busy"), OSError, r"answered 500 \(busy\)$"),
        (HTTPError("refused"), ConnectionError, r"cannot be reached \(refused\); check the network"),
    ],
)
def test_errors_of_the_client(error, kind, message):
    with pytest.raises(kind, match=message) as found, explained("fetch", "user/x"):
        raise error
    assert type(found.value) is kind and found.value.__cause__ is error


def test_other_errors_stay_what_they_are():
    with pytest.raises(KeyError), explained("fetch", "user/x"):
        raise KeyError("x")


def test_the_token_that_is_given_comes_first(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_environment")
    assert needed_token("hf_given", "push to", "user/x") == "hf_given"
    assert needed_token(None, "push to", "user/x") == "hf_of_the_environment"
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PermissionError, match="cannot push to user/x: no token found"):
        needed_token(None, "push to", "user/x")
