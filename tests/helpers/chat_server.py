"""A server of OpenAI's chat protocol on a local socket that plays scripted answers.

with chat_server(["good answer", Refusal(429, {"Retry-After": "0"}), "after that"]) as server:
    InferenceModel("scripted", base_url=server.url)
    server.requests   # what was asked: {"headers": …, "body": …}
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Refusal:
    """An answer with an error status."""

    status: int
    headers: dict = field(default_factory=dict)
    body: str = '{"error": "scripted refusal"}'


@dataclass
class Raw:
    """A body as it stands, whatever it is; `promised`: the length that the header promises."""

    body: str
    promised: int | None = None


@dataclass
class Slow:
    """An answer after some seconds."""

    seconds: float
    text: str = "late"


@dataclass
class Long:
    """An answer that ended because it was too long."""

    text: str


class ScriptedServer:
    """Plays a list of steps, one a call (the last one again and again), or asks a function of the messages for each."""

    def __init__(self, script: list | Callable):
        self.script, self.requests, self.url = script, [], ""
        self._lock = threading.Lock()

    def next(self, request: dict):
        with self._lock:
            self.requests.append(request)
            if callable(self.script):
                return self.script(request["body"]["messages"])
            return self.script[min(len(self.requests), len(self.script)) - 1]

    @property
    def prompts(self) -> list[str]:
        return [request["body"]["messages"][-1]["content"] for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits up to 40 ms for the acknowledgement of its headers
    scripted: ScriptedServer

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        step = self.scripted.next(
            {"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body}
        )
        if isinstance(step, Slow):
            time.sleep(step.seconds)
            step = step.text
        if isinstance(step, Refusal):
            self.send(step.body, step.status, step.headers)
        elif isinstance(step, Raw):
            self.send(step.body, promised=step.promised)
        elif isinstance(step, Long):
            self.send(completion(step.text, "length"))
        else:
            self.send(completion(step))

    def send(self, body: str, status: int = 200, headers: dict | None = None, promised: int | None = None):
        data = body.encode()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) if promised is None else promised))
            self.end_headers()
            self.wfile.write(data)
        self.close_connection = promised is not None


def completion(text: str | None, finish: str = "stop") -> str:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "1", "created": 1, "model": "scripted", "choices": [choice], "usage": usage})


@contextlib.contextmanager
def chat_server(script: list | Callable, port: int = 0) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(script)
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"scripted": scripted}))
    server.daemon_threads = True
    scripted.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
