"""Every type of service against a server of the test's own that answers as its vendor does, over real connections."""

from __future__ import annotations

import asyncio
import base64
import json
import smtplib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from serinus.analysis.providers.http.client import Http
from serinus.notifications.fields import read
from serinus.notifications.services import email as mail
from serinus.notifications.services.nats import signature_of
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import Delayed, Refused, SendRequest, ServiceContext
from tests.support.notifications.fake_vendor import vendor
from tests.support.notifications.http_services import CASES, HTTP_KINDS, NOW, Case

SECRETS = ("tok-secret", "key-secret", "pw-secret")


async def send(
    kind: str, options: dict[str, Any], *, section: Any = None, recipient: str = "", message: str = "m", **more: Any
) -> Any:
    service = SERVICES[kind]
    made, unknown = read(options, service.Options)
    assert unknown == []
    assert service.check(made) == ""
    part = None if section is None else read(section, service.Section)[0]
    async with Http() as http:
        job = SendRequest(kind, recipient, message, part, ServiceContext(http, lambda: NOW, {}), **more)
        return await service.send(made, job)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind} {case.name}".strip())
async def test_what_a_vendor_is_asked(case: Case) -> None:
    async with vendor(*case.answers) as there:
        await send(case.kind, case.options(there.url), section=case.section, recipient=case.recipient, names=("tpl",))
    assert [(one.method, one.path) for one in there.seen] == [(method, path) for method, path, _ in case.expected]
    for one, (_, _, body) in zip(there.seen, case.expected, strict=True):
        if body is not None:
            assert (one.form if case.form else one.body.decode() if isinstance(body, str) else one.json) == body
    sent = there.seen[-1].headers
    assert {name: sent.get(name) for name in case.headers} == case.headers
    if case.kind == "webhook":
        assert "Content-Type" not in sent


def test_every_type_has_a_contract() -> None:
    assert {case.kind for case in CASES} | {"email", "nats"} == set(SERVICES)
    assert len(SERVICES) == 21


@pytest.mark.parametrize("kind", sorted(HTTP_KINDS))
@pytest.mark.parametrize(
    ("status", "error"), [(500, Delayed), (503, Delayed), (429, Delayed), (400, Refused), (404, Refused)]
)
async def test_what_becomes_of_an_error(kind: str, status: int, error: type[Exception]) -> None:
    case = HTTP_KINDS[kind]
    async with vendor((status, {"error": {"code": status, "message": "no"}})) as there:
        with pytest.raises(error) as caught:
            await send(kind, case.options(there.url), section=case.section, recipient=case.recipient)
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("kind", sorted(HTTP_KINDS))
async def test_a_receiver_that_is_not_there(kind: str) -> None:
    case = HTTP_KINDS[kind]
    async with vendor((200, "")) as there:
        url = there.url
    with pytest.raises(Delayed) as caught:
        await send(kind, case.options(url), section=case.section, recipient=case.recipient)
    assert "127.0.0.1" in str(caught.value)
    assert "/" not in str(caught.value).replace("http://", "")


@pytest.mark.parametrize(
    ("kind", "options", "recipient", "said"),
    [
        ("teams", {"recipientUrls": {}}, "r", "no teams webhook configured for recipient r"),
        ("teams-workflows", {"recipientUrls": {}}, "r", "no teams-workflows webhook configured for recipient r"),
        ("teams-workflows", {"recipientUrls": {"r": "https://x.org/"}}, "r", "none of Teams Workflows"),
        ("googlechat", {"webhooks": {}}, "r", "no Google chat webhook configured for recipient r"),
        ("opsgenie", {"apiKeys": {}}, "r", "no API key configured for recipient r"),
        ("pagerdutyv2", {"serviceKeys": {}}, "r", "no API key configured for recipient r"),
        ("github", {"appID": "1", "installationID": "2", "privateKey": "x"}, "", "the template has no part for github"),
        ("newrelic", {"apiKey": "k"}, "1", "the template has no part for newrelic"),
        ("alertmanager", {}, "", "at least one label pair required"),
        ("gcppubsub", {"project": "p"}, "", "key or keyFile is missing"),
        ("telegram", {"token": "t"}, "-x", "is no chat"),
        ("nats", {"url": "x"}, "", "the recipient is no subject"),
    ],
)
async def test_what_cannot_be_sent(kind: str, options: dict[str, Any], recipient: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        await send(kind, options, recipient=recipient)


async def test_answers_that_look_like_success() -> None:
    slack: dict[str, Any] = {"token": "t"}
    async with vendor(
        (200, {"ok": False, "error": "channel_not_found"}), (200, {"ok": False, "error": "ratelimited"})
    ) as there:
        options = {**slack, "apiURL": f"{there.url}/api/"}
        with pytest.raises(Refused, match="channel_not_found"):
            await send("slack", options, recipient="c")
        with pytest.raises(Delayed, match="ratelimited"):
            await send("slack", options, recipient="c")
    async with vendor((200, "Webhook message delivery failed")) as there:
        with pytest.raises(Refused, match="teams webhook post error: Webhook message"):
            await send("teams", {"recipientUrls": {"c": there.url}}, recipient="c")
    async with vendor((200, {"success": False, "error": "no room", "status": "success", "data": {}})) as there:
        with pytest.raises(Refused, match="no room"):
            await send("rocketchat", {"serverUrl": there.url}, recipient="c")
    async with vendor((201, {"token": "a"}), (422, {})) as there:
        options = HTTP_KINDS["github"].options(there.url)
        section = {
            "repoURLPath": "git@github.com:o/r",
            "revisionPath": "abc",
            "status": {"state": "success", "label": "ci"},
        }
        await send("github", options, section=section)
    assert there.seen[1].path == "/api/v3/repos/o/r/statuses/abc"


async def test_slack_threads() -> None:
    def section(**more: Any) -> dict[str, Any]:
        return {"groupingKey": "k", **more}

    async with vendor(
        (200, {"ok": True, "channel": "C1", "ts": "1.0"}), (200, {"ok": True, "channel": "C1", "ts": "2.0"})
    ) as there:
        options = {"apiURL": f"{there.url}/api/", "token": "t"}
        threads = await send("slack", options, section=section(), recipient="ch")
        assert list(threads.values()) == ["1.0|C1"]
        assert await send("slack", options, section=section(), recipient="ch", threads=threads) is None
        await send("slack", options, section=section(deliveryPolicy="Update"), recipient="ch", threads=threads)
        await send("slack", options, section=section(deliveryPolicy="PostAndUpdate"), recipient="ch", threads=threads)
    calls = [(one.path.rpartition(".")[2], one.form) for one in there.seen]
    assert [name for name, _ in calls] == ["postMessage", "postMessage", "update", "postMessage", "update"]
    assert "thread_ts" not in calls[0][1]
    assert calls[1][1]["thread_ts"] == "1.0"
    assert {k: calls[2][1][k] for k in ("channel", "ts", "thread_ts", "as_user")} == {
        "channel": "C1",
        "ts": "1.0",
        "thread_ts": "1.0",
        "as_user": "true",
    }


async def test_slack_sections_that_are_no_json() -> None:
    for section in ({"attachments": "[{]"}, {"blocks": "{}"}):
        with pytest.raises(Refused, match="failed to unmarshal"):
            await send("slack", {"token": "t"}, section=section, recipient="c")


# mail


class Smtp(asyncio.Protocol):
    """A mail server that accepts everything, or answers one command with the given reply."""

    def __init__(self, log: list[str], refuse: dict[str, str]) -> None:
        self._log, self._refuse, self._data, self._buffer = log, refuse, False, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 test\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            self._line(line.decode())

    def _line(self, line: str) -> None:
        self._log.append(line)
        if self._data:
            if line == ".":
                self._data = False
                self._transport.write(b"250 taken\r\n")
            return
        word = line.split(" ")[0].split(":")[0].upper()
        answer = self._refuse.get(word) or {
            "EHLO": "250-test\r\n250 AUTH PLAIN LOGIN",
            "DATA": "354 go",
            "AUTH": "235 ok",
            "QUIT": "221 bye",
        }.get(word, "250 ok")
        self._data = answer.startswith("354")
        self._transport.write(answer.encode() + b"\r\n")


@asynccontextmanager
async def smtp(**refuse: str) -> AsyncGenerator[tuple[int, list[str]]]:
    log: list[str] = []
    server = await asyncio.get_running_loop().create_server(lambda: Smtp(log, refuse), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], log
    finally:
        server.close()


def mail_options(port: int, **more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "from": "a@b.c", **more}


async def test_mail() -> None:
    async with smtp() as (port, log):
        options = mail_options(port, username="u", password="p", html="true")
        await send("email", options, section={"subject": "Grün\n!", "body": "<b>ü</b>"}, recipient="x@y.z, v@w.x")
    text = "\n".join(log)
    assert "AUTH PLAIN " + base64.b64encode(b"\0u\0p").decode() in text
    assert "MAIL FROM:<a@b.c>" in text.upper().replace("<A@B.C>", "<a@b.c>")
    assert [line for line in log if line.upper().startswith("RCPT")] == [
        "RCPT TO:<x@y.z>",
        "RCPT TO:<v@w.x>",
    ] or "x@y.z" in text
    assert "To: x@y.z, v@w.x" in text
    assert "Subject: =?utf-8?q?Gr=C3=BCn" in text
    assert "Content-Transfer-Encoding: quoted-printable" in text
    assert "<b>=C3=BC</b>" in text


async def test_mail_without_a_section_has_the_message() -> None:
    async with smtp() as (port, log):
        await send("email", mail_options(port), recipient="x@y.z", message="hello")
    assert "hello" in log
    assert not any(line.startswith("AUTH") for line in log)


@pytest.mark.parametrize(
    ("refuse", "error"),
    [
        ({"RCPT": "550 nobody"}, Refused),
        ({"RCPT": "450 later"}, Delayed),
        ({"DATA": "554 no"}, Refused),
        ({"AUTH": "535 no"}, Refused),
        ({"MAIL": "421 busy"}, Delayed),
    ],
)
async def test_mail_errors(refuse: dict[str, str], error: type[Exception]) -> None:
    async with smtp(**refuse) as (port, _):
        with pytest.raises(error):
            await send("email", mail_options(port, username="u", password="pw-secret"), recipient="x@y.z")


async def test_mail_to_nobody_and_to_no_server() -> None:
    with pytest.raises(Refused, match="no mail address"):
        await send("email", mail_options(1), recipient=" , ")
    with pytest.raises(Delayed):
        await send("email", mail_options(1), recipient="a@b.c")
    assert smtplib.SMTP_SSL is mail.smtplib.SMTP_SSL


# NATS


@asynccontextmanager
async def nats(answer: bytes) -> AsyncGenerator[tuple[str, list[bytes]]]:
    log: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"nonce":"abc","headers":true}\r\n')
        while line := await reader.readline():
            log.append(line.rstrip())
            if line.startswith(b"PING"):
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", log
    finally:
        server.close()


async def test_nats() -> None:
    async with nats(b"PONG\r\n") as (url, log):
        await send("nats", {"url": url, "username": "u", "password": "p"}, recipient="a.b", message="hi")
    hello = json.loads(log[0].removeprefix(b"CONNECT "))
    assert (hello["user"], hello["pass"]) == ("u", "p")
    assert log[1:] == [b"PUB a.b 2", b"hi", b"PING"]


async def test_nats_with_headers() -> None:
    async with nats(b"PONG\r\n") as (url, log):
        await send("nats", {"url": url, "headers": {"A": "b"}}, recipient="s", message="hi")
    assert log[1:] == [b"HPUB s 18 20", b"NATS/1.0", b"A: b", b"", b"hi", b"PING"]


async def test_nats_that_refuses() -> None:
    async with nats(b"-ERR 'Authorization Violation'\r\n") as (url, _):
        with pytest.raises(Refused, match="Authorization Violation"):
            await send("nats", {"url": url}, recipient="s")


def test_a_seed_of_nats_signs() -> None:
    """A seed with its public key, from the documentation of NATS."""
    seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
    assert signature_of(seed, "x")["nkey"] == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
    with pytest.raises(Refused):
        signature_of("SUA", "x")


@pytest.mark.parametrize("size", [5_000_000, -1], ids=["too large", "broken off"])
@pytest.mark.parametrize("status", [200, 500])
async def test_a_message_that_was_taken_is_not_sent_again_because_of_the_body(status: int, size: int) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {max(size, 9)}\r\n\r\n".encode() + b"x" * max(size, 3))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    service = SERVICES["webhook"]
    options, _ = read({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}, service.Options)
    async with server, Http() as http:
        job = SendRequest("hook", "", "m", None, ServiceContext(http, lambda: 0.0))
        if status == 200:
            assert await service.send(options, job) is None
        else:
            with pytest.raises(Delayed):
                await service.send(options, job)
