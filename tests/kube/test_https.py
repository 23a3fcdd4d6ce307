"""Calls over real connections on loopback: the guarantees to a caller when servers are slow, gone, or refuse."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serinus.api.resources import SERVICES
from serinus.kube.client import Client
from serinus.kube.configuration.config import Connection
from serinus.kube.configuration.exec_plugin import ExecPlugin
from serinus.kube.errors import Forbidden, Unavailable
from serinus.kube.http.https import HttpsHandler
from serinus.kube.transport import Request

Serve = Callable[..., Awaitable[str]]
Connect = Callable[..., HttpsHandler]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []

    async def start(
        answer: Callable[[web.Request], Awaitable[web.StreamResponse]], tls: ssl.SSLContext | None = None
    ) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        return f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    made: list[HttpsHandler] = []

    def new(server: str, **options: object) -> HttpsHandler:
        made.append(HttpsHandler(Connection(server=server, **options)))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for handler in made:
        await handler.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the name `kube.internal`, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube.internal")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("kube.internal")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(made.public_bytes(pem) + secret)
    return file


@pytest.fixture(scope="module")
def ca(authority: Path) -> bytes:
    return authority.read_bytes().split(b"-----BEGIN PRIVATE")[0]


async def test_path_query_headers_and_body_arrive_as_they_were_given(serve: Serve, connect: Connect) -> None:
    seen: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        seen.extend([request.method, request.path, dict(request.query), request.headers["X-A"], await request.read()])
        return web.json_response({"a": 1}, status=201, headers={"Retry-After": "3"})

    handler = connect(await serve(answer) + "/prefix")
    query = {"labelSelector": "a=b,c in (d, é)", "limit": "5"}
    got = await handler(Request("POST", "/api/v1/namespaces/x/services", query, {"x-a": "b"}, b"{}"))
    assert seen == ["POST", "/prefix/api/v1/namespaces/x/services", query, "b", b"{}"]
    assert (got.status, got.body, got.headers["retry-after"]) == (201, b'{"a": 1}', "3")


async def test_a_watch_is_a_stream_and_ends_with_it(serve: Serve, connect: Connect) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for version in ("1", "2"):
            event = {"type": "ADDED", "object": {"metadata": {"name": "s", "resourceVersion": version}}}
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    client = Client(connect(await serve(answer)))
    found = [event.object["metadata"]["resourceVersion"] async for event in client.watch(SERVICES, "a")]
    assert found == ["1", "2"]


async def test_a_connection_that_breaks_in_a_watch_is_told(serve: Serve, connect: Connect) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type": "BOOKMARK", "object": {"metadata": {}}}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    client = Client(connect(await serve(answer)))
    with pytest.raises(Unavailable, match="cannot be reached"):
        _ = [event async for event in client.watch(SERVICES, "a")]


async def test_a_server_that_does_not_answer_is_unavailable_not_forever(serve: Serve, connect: Connect) -> None:
    forever = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await forever.wait()
        return web.Response()

    handler = connect(await serve(answer), timeout=0.05)
    with pytest.raises(Unavailable, match="did not answer in time"):
        await handler(Request("GET", "/version"))
    forever.set()


async def test_no_server_at_all_is_unavailable(connect: Connect) -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        await connect("http://127.0.0.1:1")(Request("GET", "/version"))


async def test_a_token_that_was_renewed_is_read_again_when_the_old_one_is_refused(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    valid = "one"

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers["Authorization"] == f"Bearer {valid}" else 401)

    file = tmp_path / "token"
    file.write_text("one\n")
    handler = connect(await serve(answer), token_file=str(file))
    assert (await handler(Request("GET", "/version"))).status == 200
    valid = "two"
    file.write_text("two\n")
    assert (await handler(Request("GET", "/version"))).status == 200


async def test_a_program_is_asked_once_and_again_when_its_credential_is_refused(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    refused = {"Bearer 1"}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=401 if request.headers["Authorization"] in refused else 200)

    program = tmp_path / "login"
    program.write_text(
        f"#!/bin/sh\necho x >> {tmp_path}/n\nn=$(wc -l < {tmp_path}/n)\n"
        'echo "{\\"apiVersion\\": \\"client.authentication.k8s.io/v1\\", \\"status\\": {\\"token\\": \\"$n\\"}}"\n'
    )
    program.chmod(0o755)
    handler = connect(await serve(answer), exec_plugin=ExecPlugin(str(program)))
    for _ in range(3):
        assert (await handler(Request("GET", "/version"))).status == 200
    assert (tmp_path / "n").read_text() == "x\nx\n"


async def test_a_program_that_fails_says_what_it_said(serve: Serve, connect: Connect) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    server = await serve(answer)
    plugin = ExecPlugin("/bin/sh", ("-c", "echo log in first >&2; exit 3"))
    with pytest.raises(Forbidden, match=r"ended with 3: log in first"):
        await connect(server, exec_plugin=plugin)(Request("GET", "/version"))
    with pytest.raises(Forbidden, match="was not found"):
        await connect(server, exec_plugin=ExecPlugin("/no/such/program"))(Request("GET", "/version"))


async def test_a_certificate_is_checked_against_the_authority_and_the_name(
    serve: Serve, connect: Connect, authority: Path, ca: bytes
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(authority)
    server = await serve(answer, tls)
    request = Request("GET", "/version")
    assert (await connect(server, ca=ca, tls_server_name="kube.internal")(request)).body == b"ok"
    assert (await connect(server, insecure=True)(request)).body == b"ok"
    for wrong in ({"ca": ca}, {"tls_server_name": "kube.internal"}):
        with pytest.raises(Unavailable, match="certificate-authority"):
            await connect(server, **wrong)(request)
    with pytest.raises(Forbidden, match="cannot be used"):
        await connect(server, ca=b"nonsense")(request)


async def test_connections_are_kept(serve: Serve, connect: Connect) -> None:
    peers: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    handler = connect(await serve(answer))
    for _ in range(20):
        await handler(Request("GET", "/version"))
    assert len(peers) == 1
