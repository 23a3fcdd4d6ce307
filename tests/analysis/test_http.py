"""The HTTP client of the providers keeps within its bounds."""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import LARGEST_ANSWER, Http
from tests.support.analysis.vendor import Reply, World


async def test_connections_are_kept_and_used_again(world: World) -> None:
    world.vendor.says("/x", "1")
    peers: set[str] = set()
    for _ in range(5):
        answer = await world.http.request("GET", f"{world.url}/x", headers={"X-Own": "1"})
        assert (answer.status, answer.text) == (200, "1")
        peers.add(answer.headers["date"])
    session = world.http._sessions[True]  # pyright: ignore[reportPrivateUsage]
    assert session is not None
    assert session.connector is not None
    assert len(session.connector._conns) == 1  # pyright: ignore


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(world: World) -> None:
    world.vendor.says("/x", b"x" * 200_000)
    async with Http(largest=100_000) as http:
        with pytest.raises(ProviderError, match="larger than 100000 bytes"):
            await http.request("GET", f"{world.url}/x")


async def test_no_answer_in_time_is_an_error_that_says_so() -> None:
    async with Http() as http:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/slow?token=s3cret"
            with pytest.raises(ProviderError) as error:
                await http.request("GET", url, seconds=0.05)
    assert str(error.value) == f"GET {url.partition('?')[0]}: no answer within 0.05 s"


async def test_nobody_there_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with Http() as http:
        with pytest.raises(ProviderError, match=f"GET http://127.0.0.1:{port}/: .*(connect|refused)"):
            await http.request("GET", f"http://user:pw@127.0.0.1:{port}/")


@pytest.mark.parametrize("url", ["", "metrics", "ftp://x/", "http://", "http://[", "http://x:99999999/", "/path"])
async def test_what_is_no_url_is_told_before_anything_is_sent(url: str) -> None:
    async with Http() as http:
        with pytest.raises(ProviderError, match="is no URL"):
            await http.request("GET", url)


async def test_headers_cannot_be_smuggled_in(world: World) -> None:
    with pytest.raises(ProviderError):
        await world.http.request("GET", f"{world.url}/x", headers={"A": "b\r\nEvil: 1"})
    assert world.vendor.asked == []


async def test_blanks_and_other_signs_in_a_url_are_encoded_and_the_rest_is_left_alone(world: World) -> None:
    world.vendor.says("/x", "1")
    await world.http.request("GET", f"{world.url}/x?q=a b%20c|<é>&r=f(x,1)")
    assert world.vendor.asked[0].raw_query == "q=a%20b%20c%7C%3C%C3%A9%3E&r=f(x,1)"


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[str]:
    """A server whose certificate no CA has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    day = timedelta(days=1)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "pair.pem"
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, *plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text="1")

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_an_unknown_certificate_is_refused_unless_the_metric_says_insecure(world: World, secured: str) -> None:
    refused = await world.measured("web", {"url": secured})
    assert refused.phase == "Error"
    assert "certificate" in refused.message.lower()
    assert (await world.measured("web", {"url": secured, "insecure": True})).value == "1"
    assert (await world.measured("web", {"url": secured})).phase == "Error"


async def test_redirects_are_followed_within_bounds(world: World) -> None:
    world.vendor.says("/x", Reply(status=302, headers={"Location": "/y"}))
    world.vendor.says("/y", "end")
    assert (await world.http.request("GET", f"{world.url}/x")).text == "end"
    world.vendor.says("/y", Reply(status=302, headers={"Location": "/x"}))
    with pytest.raises(ProviderError):
        await world.http.request("GET", f"{world.url}/x")


async def test_a_proxy_of_the_environment_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", world.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    world.vendor.says("/metrics", "by proxy")
    assert (await world.http.request("GET", "http://prometheus.invalid/metrics")).text == "by proxy"
    assert world.vendor.asked[0].headers["host"] == "prometheus.invalid"
    world.vendor.says("/own", "direct")
    assert (await world.http.request("GET", f"{world.url}/own")).text == "direct"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate", "two members"])
async def test_compressed_answers_are_read(world: World, encoding: str) -> None:
    text = b"value " * 50_000
    bits = {"deflate": 15, "raw deflate": -15}.get(encoding, 31)
    halves = [text[:1000], text[1000:]] if encoding == "two members" else [text]
    packed = b""
    for half in halves:
        packer = zlib.compressobj(wbits=bits)
        packed += packer.compress(half) + packer.flush()
    named = "deflate" if "deflate" in encoding else "gzip"
    world.vendor.says("/x", Reply(packed, headers={"Content-Encoding": named}))
    assert (await world.http.request("GET", f"{world.url}/x")).body == text
    world.vendor.says("/x", Reply(packed[:-20], headers={"Content-Encoding": named}))
    with pytest.raises(ProviderError, match="broke off"):
        await world.http.request("GET", f"{world.url}/x")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_small_answer_that_stands_for_a_large_one_is_refused_in_pieces(world: World, encoding: str) -> None:
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    world.vendor.says("/x", Reply(packed, headers={"Content-Encoding": encoding}))
    with pytest.raises(ProviderError, match=f"larger than {LARGEST_ANSWER} bytes"):
        await world.http.request("GET", f"{world.url}/x")


async def test_a_limit_in_time_is_capped() -> None:
    async with Http(longest=0.05) as http:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            pytest.raises(ProviderError, match=r"no answer within 0\.05 s"),
        ):
            await http.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", seconds=1e9)
