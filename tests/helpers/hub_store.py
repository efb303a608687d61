"""What a small Hub remembers: repositories, commits, branches, pull requests and blobs, in memory."""

import hashlib
import itertools
import re
from dataclasses import dataclass, field

DATE = "2026-01-01T00:00:00.000Z"


class HubError(Exception):
    """An answer other than success. `code` is the Hub's X-Error-Code."""

    def __init__(self, status: int, message: str, code: str | None = None, body: dict | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body


@dataclass(frozen=True)
class Blob:
    key: str
    size: int
    lfs: bool


@dataclass(frozen=True)
class Commit:
    files: dict[str, Blob]
    parent: str | None
    title: str
    author: str


@dataclass
class PullRequest:
    number: int
    title: str
    author: str
    head: str


@dataclass
class Repo:
    """One repository of type model."""

    id: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    _count: itertools.count = field(default_factory=itertools.count)

    def __post_init__(self):
        self.branches["main"] = self.add_commit({}, None, "initial commit", self.owner)

    @property
    def owner(self) -> str:
        return self.id.partition("/")[0]

    def add_commit(self, files: dict[str, Blob], parent: str | None, title: str, author: str) -> str:
        sha = hashlib.sha1(f"{self.id} {next(self._count)}".encode()).hexdigest()
        self.commits[sha] = Commit(files, parent, title, author)
        return sha

    def resolve(self, revision: str) -> str:
        """The commit of a branch, `refs/pr/N` or commit. Raises `HubError` 404."""
        if match := re.fullmatch(r"refs/pr/(\d+)", revision):
            request = self.pull_requests.get(int(match[1]))
            sha = request.head if request else None
        else:
            sha = self.branches.get(revision) or (revision if revision in self.commits else None)
        if sha is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha

    def set_head(self, revision: str, sha: str) -> None:
        if match := re.fullmatch(r"refs/pr/(\d+)", revision):
            self.pull_requests[int(match[1])].head = sha
        else:
            self.branches[revision] = sha

    def open_pull_request(self, title: str, author: str, head: str) -> PullRequest:
        request = PullRequest(len(self.pull_requests) + 1, title, author, head)
        self.pull_requests[request.number] = request
        return request

    def files(self, revision: str = "main") -> dict[str, Blob]:
        return self.commits[self.resolve(revision)].files


class Hub:
    """All repositories and blobs. `tokens` maps a token to its user."""

    def __init__(self):
        self.tokens = {"hf_user": "user", "hf_other": "other"}
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.log: list[str] = []

    def put(self, data: bytes, lfs: bool) -> Blob:
        key = hashlib.sha256(data).hexdigest() if lfs else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.blobs[key] = data
        return Blob(key, len(data), lfs)

    def read(self, repo_id: str, path: str, revision: str = "main") -> bytes:
        """Content of a file, for tests to look at."""
        return self.blobs[self.repos[repo_id].files(revision)[path].key]
