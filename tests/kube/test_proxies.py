"""The way to the API server through proxies, for both transports: requests and watches, names, passwords, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serinus.api.resources import PODS
from serinus.kube.client import Client
from serinus.kube.configuration.config import Connection
from serinus.kube.errors import ApiError, Unavailable
from serinus.kube.http.https import HttpsHandler
from serinus.kube.http.proxies import BadProxy, Proxy, of_environment, proxy_at
from serinus.kube.sync import SyncClient
from tests.support.kube.proxy_servers import Api, ProxyServer, certificate, serving

Ask = Callable[[Connection], list[str]]


def by_command(connection: Connection) -> list[str]:
    """A request, the same on the kept connection, and a watch."""
    client = SyncClient(connection)
    kinds = [str(client.get(PODS, "a", "x")["kind"]) for _ in range(2)]
    return [*kinds, *(str(obj["metadata"]["name"]) for _, obj in client.watch(PODS, "a"))]


def by_controller(connection: Connection) -> list[str]:
    async def asked() -> list[str]:
        handler = HttpsHandler(connection)
        client = Client(handler)
        kinds = [str((await client.get(PODS, "x", "a"))["kind"]) for _ in range(2)]
        names = [str(event.object["metadata"]["name"]) async for event in client.watch(PODS, "a")]
        await handler.close()
        return [*kinds, *names]

    return asyncio.run(asked())


both = pytest.mark.parametrize("ask", [by_command, by_controller])


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the API server, which has no such address: only a proxy finds it."""
    return certificate(tmp_path_factory.mktemp("api") / "both.pem", "kube.invalid")


@pytest.fixture(scope="module")
def proxy_pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("proxy") / "both.pem", "proxy.invalid", "127.0.0.1")


@pytest.fixture
def api(pem: Path) -> Iterator[Api]:
    made = Api(serving(pem))
    yield made
    made.close()


@pytest.fixture
def plain() -> Iterator[Api]:
    made = Api(None)
    yield made
    made.close()


def authority(pem: Path) -> bytes:
    return pem.read_bytes().split(b"-----BEGIN PRIVATE")[0]


@both
@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_requests_and_watches_go_through_the_proxy_and_its_host_finds_the_server(
    ask: Ask, kind: str, api: Api, pem: Path, proxy_pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy_pem))
    proxy = ProxyServer(kind, api.port, serving(proxy_pem) if kind == "https" else None)
    connection = Connection(
        server="https://kube.invalid:6443", ca=authority(pem), proxy=proxy.url("me:a%40b@"), token="secret"
    )
    assert ask(connection) == ["X", "X", "a"]
    to = "kube.invalid:6443" if kind == "socks5" else "CONNECT kube.invalid:6443 HTTP/1.1"
    assert set(proxy.asked) == {(to, "me:a@b" if kind == "socks5" else "Basic bWU6YUBi")}
    assert {headers["authorization"] for _, headers in api.seen} == {"Bearer secret"}
    assert {headers["host"] for _, headers in api.seen} == {"kube.invalid:6443"}
    assert not any("proxy-authorization" in headers for _, headers in api.seen)
    proxy.close()


@both
@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_plain_server_is_asked_through_it_too(ask: Ask, kind: str, plain: Api) -> None:
    proxy = ProxyServer(kind, plain.port)
    assert ask(Connection(server="http://kube.invalid:80/base", proxy=proxy.url("me:pw@"))) == ["X", "X", "a"]
    assert all("/base/api/v1/namespaces/a/pods" in path for path, _ in plain.seen)
    if kind == "http":
        assert proxy.asked[0][0] == "GET http://kube.invalid:80/base/api/v1/namespaces/a/pods/x HTTP/1.1"
    proxy.close()


@both
def test_the_name_in_the_certificate_is_checked_behind_a_proxy_too(ask: Ask, api: Api, pem: Path) -> None:
    proxy = ProxyServer("http", api.port)
    given = {"ca": authority(pem), "proxy": proxy.url()}
    with pytest.raises(Unavailable, match="certificate was refused"):
        ask(Connection(server="https://other.invalid", **given))  # pyright: ignore[reportArgumentType]
    assert ask(Connection(server="https://other.invalid", tls_server_name="kube.invalid", **given))  # pyright: ignore[reportArgumentType]
    proxy.close()


@both
@pytest.mark.parametrize(
    ("kind", "answer", "told"),
    [
        (
            "http",
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "407 Proxy Authentication Required'.*user and password",
        ),
        ("http", b"HTTP/1.1 403 No\r\n\r\n", "answered '403 No'"),
        ("http", b"SSH-2.0\r\n\r\n", "answered 'SSH-2.0'"),
        ("http", b"HTTP/1.1", "broke off"),
        ("socks5", b"\x05\x02\x00\x01", "does not connect to kube.invalid: its rules do not allow it"),
    ],
)
def test_a_proxy_that_refuses_is_named_without_its_password(
    ask: Ask, kind: str, answer: bytes, told: str, api: Api
) -> None:
    proxy = ProxyServer(kind, api.port, refuse=answer)
    with pytest.raises(Unavailable, match=told) as refused:
        ask(Connection(server="https://kube.invalid", proxy=proxy.url("me:hidden@"), token="secret"))
    assert "hidden" not in str(refused.value)
    assert f"{kind}://127.0.0.1:{proxy.port}" in str(refused.value)
    proxy.close()


@both
def test_a_proxy_whose_certificate_nobody_vouches_for_gets_no_request(
    ask: Ask, api: Api, pem: Path, proxy_pem: Path
) -> None:
    """`insecure-skip-tls-verify` speaks of the API server."""
    proxy = ProxyServer("https", api.port, serving(proxy_pem))
    with pytest.raises(Unavailable, match="certificate"):
        ask(Connection(server="https://kube.invalid", insecure=True, proxy=proxy.url("me:hidden@")))
    assert proxy.asked == []
    proxy.close()


@both
def test_a_redirect_takes_no_request_and_no_token_elsewhere(ask: Ask, plain: Api) -> None:
    first = Api(None, location=f"http://127.0.0.1:{plain.port}")
    with pytest.raises(ApiError):
        ask(Connection(server=f"http://127.0.0.1:{first.port}", token="secret"))
    assert first.seen
    assert plain.seen == []
    first.close()


@pytest.mark.parametrize(
    ("server", "environ", "expected"),
    [
        ("https://a.b:6443", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.b:6443", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://a.b", {"HTTPS_PROXY": "http://p", "https_proxy": "http://q"}, "http://p"),
        ("http://a.b", {"HTTPS_PROXY": "http://p"}, ""),
        ("http://a.b", {"HTTP_PROXY": "http://p"}, "http://p"),
        ("https://a.b", {"ALL_PROXY": "http://p"}, ""),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://localhost", {"HTTPS_PROXY": "http://p"}, ""),
        *(
            (server, {"HTTPS_PROXY": "http://p", "NO_PROXY": exceptions}, "" if direct else "http://p")
            for server, exceptions, direct in (
                ("https://a.b", "*", True),
                ("https://a.b", "x, a.b", True),
                ("https://A.b", "a.B", True),
                ("https://k.a.b", "a.b", True),
                ("https://ka.b", "a.b", False),
                ("https://a.b", ".a.b", False),
                ("https://k.a.b", ".a.b", True),
                ("https://k.a.b", "*.a.b", True),
                ("https://a.b:6443", "a.b:6443", True),
                ("https://a.b:6443", "a.b:443", False),
                ("https://a.b", "a.b:443", True),
                ("https://10.1.2.3:6443", "10.0.0.0/8", True),
                ("https://11.1.2.3:6443", "10.0.0.0/8,bad/", False),
                ("https://10.1.2.3:6443", "10.1.2.3", True),
                ("https://10.1.2.3:6443", "10.1.2.3:1", False),
                ("https://[fd00::1]:6443", "[fd00::1]:6443", True),
                ("https://[fd00::1]:6443", "fd00::/8", True),
                ("https://[fd00::1]:6443", "fd00::1", True),
                ("https://a.b", "", False),
            )
        ),
    ],
)
def test_the_environment_names_a_proxy_by_go_s_rules(server: str, environ: dict[str, str], expected: str) -> None:
    assert of_environment(server, environ) == expected


def test_a_url_that_is_no_proxy_says_why_without_its_password() -> None:
    assert proxy_at("socks5h://u:p@[::1]") == Proxy("socks5", "::1", 1080, "u", "p")
    assert "secret" not in repr(proxy_at("http://u:secret@a"))
    for url in ("ftp://u:secret@a", "a:1", "http://", "http://u:secret@a:x", "socks5://" + "u" * 256 + ":secret@a"):
        with pytest.raises(BadProxy) as bad:
            proxy_at(url)
        assert "secret" not in str(bad.value)
