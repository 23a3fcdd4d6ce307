"""Calls and mirrors without an event loop, over real sockets: which faults they survive, and which they report."""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serinus.api.resources import PODS, SERVICES
from serinus.kube.configuration.config import Connection
from serinus.kube.configuration.exec_plugin import ExecPlugin
from serinus.kube.errors import ApiError, Conflict, Forbidden, Gone, Unavailable
from serinus.kube.sync import SyncClient
from serinus.kube.sync_informer import Mirror
from tests.support.kube.proxy_servers import certificate, serving

Json = dict[str, Any]
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer, tls: ssl.SSLContext | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = handle_any

            def log_message(self, format: str, *args: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def say(handler: BaseHTTPRequestHandler, code: int, obj: Json, **headers: str) -> None:
    body = json.dumps(obj).encode()
    handler.send_response(code)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def stream(handler: BaseHTTPRequestHandler, *events: Json) -> None:
    """A watch that ends after these events."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    for event in events:
        handler.wfile.write(json.dumps(event).encode() + b"\n")
    handler.close_connection = True


def pod(name: str, version: str) -> Json:
    return {"metadata": {"namespace": "a", "name": name, "resourceVersion": version}}


def pods(version: str, *items: Json) -> Json:
    return {"metadata": {"resourceVersion": version}, "items": list(items)}


def test_a_list_is_read_to_its_last_page(serve: Callable[[Answer], str]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        more = "continue=x" in handler.path
        say(handler, 200, {"metadata": {} if more else {"continue": "x"}, "items": [{"page": 2 if more else 1}]})

    client = SyncClient(Connection(server=serve(answer)))
    assert client.list(PODS, "a")["items"] == [{"page": 1}, {"page": 2}]


def test_a_kept_connection_that_the_server_closed_is_opened_again(serve: Callable[[Answer], str]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        say(handler, 200, {"port": handler.client_address[1]})
        handler.close_connection = True

    client = SyncClient(Connection(server=serve(answer)))
    assert client.get(PODS, "a", "x") != client.get(PODS, "a", "x")


@pytest.mark.parametrize(
    ("code", "reason", "kind"), [(409, "Conflict", Conflict), (403, "Forbidden", Forbidden), (503, "", Unavailable)]
)
def test_a_refusal_is_the_error_of_its_kind_in_the_server_s_words(
    serve: Callable[[Answer], str], code: int, reason: str, kind: type[ApiError]
) -> None:
    url = serve(lambda handler: say(handler, code, {"reason": reason, "message": "said so"}, Retry_After="3"))
    with pytest.raises(kind, match="said so") as error:
        SyncClient(Connection(server=url)).get(PODS, "a", "x")
    assert error.value.retry_after == 3


def test_what_is_no_api_server_is_told_by_its_address(serve: Callable[[Answer], str]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"<html>Welcome</html>")
        handler.close_connection = True

    url = serve(answer)
    with pytest.raises(ApiError, match="is no Kubernetes API server: it answered '<html>Welcome"):
        SyncClient(Connection(server=url)).get(PODS, "a", "x")


def test_a_server_that_hangs_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"{url} cannot be reached: it did not answer in time"):
            SyncClient(Connection(server=url, timeout=0.05)).get(PODS, "a", "x")


def test_plain_text_where_tls_was_expected_is_told(serve: Callable[[Answer], str]) -> None:
    url = serve(lambda handler: say(handler, 200, {})).replace("http:", "https:")
    with pytest.raises(Unavailable, match="no TLS there"):
        SyncClient(Connection(server=url, insecure=True)).get(PODS, "a", "x")


def test_every_way_to_say_who_calls_reaches_the_server(serve: Callable[[Answer], str], tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append({name.lower(): value for name, value in handler.headers.items()})
        say(handler, 200, {})

    url, file, program = serve(answer), tmp_path / "token", tmp_path / "program"
    file.write_text("from-file\n")
    program.write_text(
        "#!/bin/sh\n"
        'echo \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"made"}}\'\n'
    )
    program.chmod(0o700)
    for connection in (
        Connection(server=url, token="given", impersonate=(("Impersonate-User", "eve"),)),
        Connection(server=url, token_file=str(file)),
        Connection(server=url, exec_plugin=ExecPlugin(str(program))),
        Connection(server=url, username="me", password="secret"),
    ):
        SyncClient(connection).get(PODS, "a", "x")
    assert [headers["authorization"] for headers in seen] == [
        "Bearer given",
        "Bearer from-file",
        "Bearer made",
        "Basic bWU6c2VjcmV0",
    ]
    assert seen[0]["impersonate-user"] == "eve"


def test_a_token_that_was_renewed_is_read_again_when_the_old_one_is_refused(
    serve: Callable[[Answer], str], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["Authorization"] == "Bearer new":
            return say(handler, 200, {"ok": True})
        file.write_text("new")
        return say(handler, 401, {"reason": "Unauthorized", "message": "Unauthorized"})

    client = SyncClient(Connection(server=serve(answer), token_file=str(file)))
    assert client.get(PODS, "a", "x") == {"ok": True}


def test_a_watch_tells_changes_and_when_it_is_too_late(serve: Callable[[Answer], str]) -> None:
    added = {"type": "ADDED", "object": pod("x", "7")}
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
    url = serve(lambda handler: stream(handler, added, gone))
    watch = SyncClient(Connection(server=url)).watch(PODS, "a", version="5")
    assert next(watch) == ("ADDED", pod("x", "7"))
    with pytest.raises(Gone, match="too old"):
        next(watch)


def test_a_mirror_survives_ends_breaks_and_versions_that_are_too_old(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus.kube.sync_informer.AGAIN_SECONDS", 0.01)
    asked: list[str] = []
    stay = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        watch = "watch=true" in handler.path
        version = handler.path.partition("resourceVersion=")[2].partition("&")[0]
        asked.append(f"watch {version}" if watch else "list")
        match asked.count("list"), version:
            case 1, "":
                say(handler, 200, pods("5", pod("a", "4"), pod("b", "5")))
            case 1, "5":
                stream(handler, {"type": "DELETED", "object": pod("a", "6")})
            case 1, "6":
                stream(handler, {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}})
            case 1, "8":
                stream(handler, {"type": "ERROR", "object": {"code": 410, "message": "too old"}})
            case 2, "":
                say(handler, 503, {"message": "later"})
            case 3, "":
                say(handler, 200, pods("20", pod("c", "20")))
            case _:
                stream(handler, {"type": "MODIFIED", "object": pod("c", "21")})
                stay.wait(10)

    changes: queue.Queue[list[str]] = queue.Queue()
    mirror = Mirror(
        SyncClient(Connection(server=serve(answer))),
        PODS,
        "a",
        lambda: changes.put([f"{o['metadata']['name']}{o['metadata']['resourceVersion']}" for o in mirror.objects()]),
    ).start()
    try:
        seen: list[list[str]] = []
        while ["c21"] not in seen:
            seen.append(changes.get(timeout=10))
        assert seen == [["a4", "b5"], ["b5"], ["b5"], ["c20"], ["c21"]]
        assert asked[:8] == ["list", "watch 5", "watch 6", "watch 8", "list", "list", "watch 20"]
        assert mirror.trouble is None
    finally:
        mirror.stop()
        stay.set()


def test_a_mirror_gives_up_where_it_is_refused(serve: Callable[[Answer], str]) -> None:
    told = threading.Event()
    url = serve(lambda handler: say(handler, 403, {"reason": "Forbidden", "message": "not you"}))
    mirror = Mirror(SyncClient(Connection(server=url)), SERVICES, "a", told.set).start()
    assert told.wait(10)
    assert isinstance(mirror.refusal, Forbidden)
    assert not mirror.listed


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("silent", ["list", "watch"])
def test_a_mirror_that_is_stopped_has_no_thread_left_in_a_silent_request(
    serve: Callable[..., str], tmp_path: Path, silent: str, secure: bool
) -> None:
    """A process that ends while a thread reads from TLS may crash: `status` ended with a segmentation fault."""
    waiting, stay = threading.Event(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if ("watch=true" in handler.path) is (silent == "watch"):
            waiting.set()
            stay.wait(60)
        else:
            say(handler, 200, pods("5", pod("a", "4")))

    authority = certificate(tmp_path / "server.pem", "localhost", "127.0.0.1")
    url = serve(answer, serving(authority) if secure else None)
    server = Connection(server=url, ca=authority.read_bytes() if secure else b"")
    mirror = Mirror(SyncClient(server), PODS, "a", lambda: None).start()
    assert waiting.wait(10)
    mirror.stop()
    mirror.join()
    assert not any(thread.name == "mirror of pods" for thread in threading.enumerate())
    stay.set()
