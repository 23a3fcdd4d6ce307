"""`serinus migrate-routes --check` sends the same queries to two servers."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

SERINUS = Path(sys.executable).with_name("serinus")
Answering = Callable[[str, str, str], tuple[int, str]]
"""Of host, path and `X-Canary`: status and body."""


@contextmanager
def server(answering: Answering) -> Generator[str]:
    """The URL of a server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answering(self.headers["Host"], self.path, self.headers.get("X-Canary") or "")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()


def canary() -> Answering:
    """Every fifth answer is green, and all with the header; other hosts have no route."""
    count = itertools.count()

    def answer(host: str, path: str, header: str) -> tuple[int, str]:
        if host != "web.test" or not (path == "/api" or path.startswith("/api/")):
            return 404, "no route"
        return 200, "green" if header == "always" or next(count) % 5 == 0 else "blue"

    return answer


def ingresses() -> str:
    def ingress(name: str, service: str, **notes: str) -> object:
        backend = {"service": {"name": service, "port": {"number": 80}}}
        rules = [{"host": "web.test", "http": {"paths": [{"path": "/api", "pathType": "Prefix", "backend": backend}]}}]
        annotations = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in notes.items()}
        metadata = {"name": name, "annotations": annotations}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {"rules": rules}}

    by_header = ingress("web-canary", "web-new", canary="true", canary_weight="20", canary_by_header="X-Canary")
    return yaml.safe_dump_all([ingress("web", "web"), by_header])


def checked(before: str, after: str) -> subprocess.CompletedProcess[str]:
    command = [str(SERINUS), "migrate-routes", "--check", before, after, "-f", "-"]
    return subprocess.run(command, input=ingresses(), capture_output=True, text=True, timeout=120, check=False)


def test_two_that_lead_the_same_way_answer_alike():
    with server(canary()) as before, server(canary()) as after:
        done = checked(before, after)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "6 kinds of requests, 30 of each: both answer alike.\n"


def test_each_difference_is_named():
    def without_header(host: str, path: str, header: str) -> tuple[int, str]:
        return (200, "blue") if host == "web.test" and path.startswith("/api") else (404, "no route")

    with server(canary()) as before, server(without_header) as after:
        done = checked(before, after)
    assert done.returncode == 1
    assert done.stderr == "Error: 6 of 6 kinds of requests are answered differently\n"
    first, *others = done.stdout.splitlines()
    assert first.startswith("GET /api of web.test with X-Canary: always: answers with other contents: ")
    assert (
        "GET /apiserinus-check of web.test: the Ingress controller gives 404 30 times of 30, "
        "the Gateway never (200 30 times)" in others
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:8080", "Error: --check 127.0.0.1:8080: not a URL like http://127.0.0.1:8080\n"),
        (
            "http://127.0.0.1:1",
            "Error: http://127.0.0.1:1 does not answer GET /api of web.test with X-Canary: always: ",
        ),
    ],
)
def test_a_side_that_cannot_be_asked_is_named(url: str, said: str):
    with server(canary()) as before:
        done = checked(before, url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
