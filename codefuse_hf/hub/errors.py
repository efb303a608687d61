"""What went wrong at the Hub, in words that name the way out."""

import contextlib
from collections.abc import Iterator

from huggingface_hub import constants, get_session, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of the HTTP library in use, which differs between versions
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

_TOKEN = "log in with `hf auth login`, or set HF_TOKEN to a token with write access"


@contextlib.contextmanager
def explained(action: str, repo_id: str) -> Iterator[None]:
    """Turn the Hub client's errors inside the block into short ones.

    Args:
        action: what was tried, such as "download".
        repo_id: of what.

    Raises:
        PermissionError, ConnectionError, FileNotFoundError, OSError: with what to do about it.
        ValueError: an impossible repo id.
    """
    try:
        yield
    except HFValidationError as error:
        raise ValueError(f"{repo_id!r} is no repo id; expected user/name: {error}") from error
    except LocalTokenNotFoundError as error:
        raise PermissionError(f"cannot {action} {repo_id}: no token found; {_TOKEN}") from error
    except GatedRepoError as error:
        raise PermissionError(
            f"cannot {action} {repo_id}: it is gated; ask for access on its page and use a token of that account"
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"cannot {action} {repo_id}: no such repository on {constants.ENDPOINT}, or it is private and the token (if any) may "
            f"not see it; {_TOKEN}"
        ) from error
    except RevisionNotFoundError as error:
        raise FileNotFoundError(
            f"cannot {action} {repo_id}: it has no such revision; check branch, tag or commit"
        ) from error
    except OfflineModeIsEnabled as error:
        raise ConnectionError(
            f"cannot {action} {repo_id}: HF_HUB_OFFLINE is set; unset it to use the network"
        ) from error
    except HfHubHTTPError as error:
        raise _by_status(action, repo_id, error) from error
    except HTTPError as error:
        raise ConnectionError(_unreachable(action, repo_id, error)) from error


def _by_status(action: str, repo_id: str, error: HfHubHTTPError) -> OSError:
    status = getattr(error.response, "status_code", None)
    reason = error.server_message or str(error).partition("\n")[0]
    if status == 401:
        return PermissionError(f"cannot {action} {repo_id}: the token is not valid ({reason}); {_TOKEN}")
    if status == 403:
        return PermissionError(f"cannot {action} {repo_id}: this account lacks the permission ({reason})")
    return OSError(f"cannot {action} {repo_id}: {constants.ENDPOINT} answered {status} ({reason})")


def _unreachable(action: str, repo_id: str, error: Exception) -> str:
    return f"cannot {action} {repo_id}: {constants.ENDPOINT} cannot be reached ({error}); check the network and HF_ENDPOINT"


def check_reachable(action: str, repo_id: str) -> None:
    """Ask the Hub once whether it is there, since its client would try again for a minute.

    Raises:
        ConnectionError: it is not, or HF_HUB_OFFLINE forbids to ask.
    """
    with explained(action, repo_id):
        get_session().head(constants.ENDPOINT, timeout=10)


def needed_token(token: str | None, action: str, repo_id: str) -> str:
    """Return the token given, or that of `hf auth login` or HF_TOKEN.

    Raises:
        PermissionError: there is none.
    """
    token = token or get_token()
    if token is None:
        raise PermissionError(
            f"cannot {action} {repo_id}: no token found; log in with `hf auth login`, or set HF_TOKEN to a token with write access"
        )
    return token
