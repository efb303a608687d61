"""A small Hugging Face Hub on a local socket: as much of its HTTP API as the real client needs here.

    with running_hub() as (hub, url): ...   # HF_ENDPOINT=url HF_TOKEN=hf_user HF_HUB_DISABLE_XET=1

Repositories of models and Spaces (in one namespace) with branches and pull requests; uploads through commits and git-LFS; downloads with ranges;
private and gated repositories; the error codes that the client turns into its exceptions.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from .hub_store import DATE, Blob, Hub, HubError, Repo

REPO = r"(?P<repo>[^/]+/[^/]+)"
ROUTES: list[tuple[str, re.Pattern, str]] = [
    (method, re.compile(pattern), name)
    for method, pattern, name in [
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/repos/create", "create_repo"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "upload_lfs"),
        ("POST", rf"(?:/spaces)?/{REPO}\.git/info/lfs/objects/batch", "lfs_batch"),
        ("GET", rf"(?:/spaces)?/{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "download"),
        ("GET", rf"/api/(?:models|spaces)/{REPO}", "repo_info"),
        ("GET", rf"/api/(?:models|spaces)/{REPO}/revision/(?P<revision>[^/]+)", "repo_info"),
        ("GET", rf"/api/(?:models|spaces)/{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?", "tree"),
        ("POST", rf"/api/(?:models|spaces)/{REPO}/paths-info/(?P<revision>[^/]+)", "paths_info"),
        ("GET", rf"/api/(?:models|spaces)/{REPO}/refs", "refs"),
        ("POST", rf"/api/(?:models|spaces)/{REPO}/branch/(?P<branch>[^/]+)", "create_branch"),
        ("POST", rf"/api/(?:models|spaces)/{REPO}/preupload/(?P<revision>[^/]+)", "preupload"),
        ("POST", rf"/api/(?:models|spaces)/{REPO}/commit/(?P<revision>[^/]+)", "commit"),
    ]
]


class Handler(BaseHTTPRequestHandler):
    """Answers one request; `hub` is set on the subclass that `running_hub` makes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits up to 40 ms for the acknowledgement of its headers
    hub: Hub
    lock = threading.RLock()

    # ---- plumbing

    def log_message(self, *args):
        pass

    def answer(self):
        url = urlsplit(self.path)
        self.query, self.data, self.commit_sha = parse_qs(url.query), self._read_body(), None
        status = 500
        try:
            with self.lock:
                status = self._route(url.path)
        except HubError as error:
            status = error.status
            headers = {"X-Error-Message": error.message}
            if error.code:
                headers["X-Error-Code"] = error.code
            if self.commit_sha:  # lets the client remember that the file is absent
                headers["X-Repo-Commit"] = self.commit_sha
            self.send(error.body or {"error": error.message}, error.status, headers)
        finally:
            self.hub.log.append(f"{self.command} {self.path} {status}")

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def _route(self, path: str) -> int:
        method = "GET" if self.command == "HEAD" else self.command
        for route_method, pattern, name in ROUTES:
            if route_method == method and (match := pattern.fullmatch(path)):
                groups = {key: unquote(value) for key, value in match.groupdict().items() if value is not None}
                return getattr(self, name)(**groups) or 200
        raise HubError(404, f"no route {method} {path}")

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(
        self, data, status: int = 200, headers: dict[str, str] | None = None, content_type="application/json"
    ) -> int:
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for key, value in {"Content-Type": content_type, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        return status

    @property
    def json(self):
        return json.loads(self.data or b"{}")

    @property
    def url(self) -> str:
        return f"http://{self.headers['Host']}"

    # ---- who may do what

    def user(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return None
        if token not in self.hub.tokens:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.hub.tokens[token]

    def known_user(self) -> str:
        user = self.user()
        if user is None:
            raise HubError(401, "Invalid username or password.")
        return user

    def readable(self, repo_id: str) -> Repo:
        user, repo = self.user(), self.hub.repos.get(repo_id)
        if repo is None or (repo.private and user != repo.owner):
            # As the Hub: anonymous requests cannot tell a private repository from none.
            raise HubError(404 if user else 401, "Repository not found", "RepoNotFound")
        return repo

    def writable(self, repo_id: str, revision: str = "main") -> Repo:
        repo = self.readable(repo_id)
        proposes = revision.startswith("refs/pr/") or self.query.get("create_pr") == ["1"]
        if self.known_user() != repo.owner and not proposes:
            raise HubError(403, "You don't have the rights to write to this repository")
        return repo

    # ---- accounts and repositories

    def whoami(self):
        user = self.known_user()
        token = {"displayName": "test", "role": "write"}
        return self.send(
            {"type": "user", "id": user, "name": user, "fullname": user, "orgs": [], "auth": {"accessToken": token}}
        )

    def create_repo(self):
        user, wanted = self.known_user(), self.json
        repo_id = f"{wanted.get('organization') or user}/{wanted['name']}"
        url = f"{self.url}/{repo_id}"
        if repo_id.partition("/")[0] != user:
            raise HubError(403, f"You don't have the rights to create a model under the namespace of {repo_id}")
        if repo_id in self.hub.repos:
            raise HubError(409, "You already created this model repo", body={"error": "exists", "url": url})
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.hub.repos[repo_id] = Repo(repo_id, private=private)
        return self.send({"url": url, "name": repo_id, "id": repo_id})

    def validate_yaml(self):
        return self.send({"errors": [], "warnings": []})

    def repo_info(self, repo: str, revision: str = "main"):
        found = self.readable(repo)
        files = found.files(revision)
        return self.send(
            {
                "_id": found.id,
                "id": found.id,
                "modelId": found.id,
                "author": found.owner,
                "sha": found.resolve(revision),
                "private": found.private,
                "gated": found.gated,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "createdAt": DATE,
                "lastModified": DATE,
                "siblings": [{"rfilename": path} for path in sorted(files)],
            }
        )

    def refs(self, repo: str):
        found = self.readable(repo)
        branches = [{"name": k, "ref": f"refs/heads/{k}", "targetCommit": v} for k, v in found.branches.items()]
        requests = [
            {"name": str(n), "ref": f"refs/pr/{n}", "targetCommit": p.head} for n, p in found.pull_requests.items()
        ]
        return self.send({"branches": branches, "tags": [], "converts": [], "pullRequests": requests})

    def create_branch(self, repo: str, branch: str):
        found = self.writable(repo)
        if branch in found.branches:
            raise HubError(409, f"Reference already exists: refs/heads/{branch}")
        found.branches[branch] = found.resolve(self.json.get("startingPoint") or "main")
        return self.send({}, 201)

    # ---- files

    @staticmethod
    def _entry(path: str, blob: Blob) -> dict:
        entry = {"type": "file", "path": path, "size": blob.size, "oid": blob.key[:40]}
        return entry | ({"lfs": {"oid": blob.key, "size": blob.size, "pointerSize": 134}} if blob.lfs else {})

    def tree(self, repo: str, revision: str, path: str = ""):
        prefix = f"{path}/" if path else ""
        files = {name: blob for name, blob in self.readable(repo).files(revision).items() if name.startswith(prefix)}
        if prefix and not files:
            raise HubError(404, f'{path} does not exist on "{revision}"', "EntryNotFound")
        recursive = self.query.get("recursive", ["false"])[0].lower() == "true"
        shown, folders = [], set()
        for name in sorted(files):
            parts = name.removeprefix(prefix).split("/")
            folders |= {prefix + "/".join(parts[:i]) for i in range(1, len(parts)) if recursive or i == 1}
            if recursive or len(parts) == 1:
                shown.append(self._entry(name, files[name]))
        listed = [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in sorted(folders)]
        return self.send(listed + shown)

    def paths_info(self, repo: str, revision: str):
        files = self.readable(repo).files(revision)
        is_json = "json" in self.headers.get("Content-Type", "")
        paths = self.json["paths"] if is_json else parse_qs(self.data.decode()).get("paths", [])
        return self.send([self._entry(path, files[path]) for path in paths if path in files])

    def download(self, repo: str, revision: str, path: str):
        found = self.readable(repo)
        self.commit_sha = found.resolve(revision)
        if found.gated and self.user() != found.owner:
            raise HubError(403 if self.user() else 401, f"Access to model {found.id} is restricted", "GatedRepo")
        blob = found.commits[self.commit_sha].files.get(path)
        if blob is None:
            raise HubError(404, "Entry not found", "EntryNotFound")
        headers = {"X-Repo-Commit": self.commit_sha, "ETag": f'"{blob.key}"', "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-ETag": f'"{blob.key}"', "X-Linked-Size": str(blob.size)}
        content, status = self.hub.blobs[blob.key], 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and self.command == "GET":
            first, last = int(asked[1]), min(int(asked[2] or blob.size - 1), blob.size - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
            content, status = content[first : last + 1], 206
        return self.send(content, status, headers, "application/octet-stream")

    # ---- uploads

    def preupload(self, repo: str, revision: str):
        found = self.writable(repo, revision)
        present = found.files(revision)
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith((".safetensors", ".bin")) else "regular",
                "shouldIgnore": False,
                "oid": present[file["path"]].key if file["path"] in present else None,
            }
            for file in self.json["files"]
        ]
        return self.send({"files": modes})

    def lfs_batch(self, repo: str):
        self.readable(repo)
        self.known_user()  # who may write is asked at the commit: a pull request may come from anybody
        objects = []
        for wanted in self.json["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.hub.blobs:
                entry["actions"] = {"upload": {"href": f"{self.url}/lfs/{wanted['oid']}", "header": {}}}
            objects.append(entry)
        return self.send({"transfer": "basic", "objects": objects})

    def upload_lfs(self, oid: str):
        if hashlib.sha256(self.data).hexdigest() != oid:
            raise HubError(400, "sha256 mismatch")
        self.hub.blobs[oid] = self.data
        return self.send({})

    def commit(self, repo: str, revision: str):
        found, user = self.writable(repo, revision), self.known_user()
        base = found.resolve(revision)
        files, title = dict(found.commits[base].files), ""
        for line in self.data.splitlines():
            item = json.loads(line)
            title = self._apply(files, item["key"], item["value"], base) or title
        sha = found.add_commit(files, base, title, user)
        answer = {
            "success": True,
            "commitOid": sha,
            "commitUrl": f"{self.url}/{found.id}/commit/{sha}",
            "hookOutput": "",
        }
        if self.query.get("create_pr") == ["1"]:
            request = found.open_pull_request(title, user, sha)
            answer["pullRequestUrl"] = f"{self.url}/{found.id}/discussions/{request.number}"
        else:
            found.set_head(revision, sha)
        return self.send(answer)

    def _apply(self, files: dict[str, Blob], key: str, value: dict, base: str) -> str | None:
        """One line of a commit; returns the commit's title if the line holds it."""
        if key == "header":
            if value.get("parentCommit") not in (None, base):
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            return value.get("summary")
        if key == "file":
            files[value["path"]] = self.hub.put(base64.b64decode(value["content"]), lfs=False)
        elif key == "lfsFile":
            if value["oid"] not in self.hub.blobs:
                raise HubError(400, f"LFS object {value['oid']} was not uploaded")
            files[value["path"]] = Blob(value["oid"], len(self.hub.blobs[value["oid"]]), lfs=True)
        elif key == "deletedFile":
            files.pop(value["path"], None)
        return None


@contextlib.contextmanager
def running_hub() -> Iterator[tuple[Hub, str]]:
    """A Hub on a free local port, until the block ends: its memory, and its address."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
