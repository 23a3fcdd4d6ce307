# ruff: noqa: E501 - the table has a request in each row
"""Every type of service against a server of the test's own that answers as its vendor does, over real connections."""

from __future__ import annotations

import asyncio
import base64
import json
import smtplib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from serinus.analysis.providers.http.client import Http
from serinus.notifications.fields import read
from serinus.notifications.services import email as mail
from serinus.notifications.services.nats import signature_of
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import Delayed, Job, Reach, Refused
from tests.support.notifications.fake_vendor import Answer, vendor

NOW = 1_700_000_000.5
KEY = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
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
        job = Job(kind, recipient, message, part, Reach(http, lambda: NOW, {}), **more)
        return await service.send(made, job)


@dataclass
class Case:
    """`expected`: (method, path, body) of each request; a body is JSON, a form (with `form`), or text. `headers`: of the last."""

    kind: str
    options: Callable[[str], dict[str, Any]]
    answers: list[Answer]
    expected: list[tuple[str, str, Any]]
    section: dict[str, Any] | None = None
    recipient: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    form: bool = False
    name: str = ""


FACTS = '[{"name":"a","value":"b"}]'
CASES = [
    Case("webhook", lambda u: {"url": f"{u}/hook/", "headers": [{"name": "X-K", "value": "v"}], "basicAuth": {"username": "u", "password": "p"}},
         [(200, "")], [("POST", "/hook/p", "x")], {"method": "POST", "path": "/p", "body": "x"},
         headers={"X-K": "v", "Authorization": "Basic dTpw"}),
    Case("webhook", lambda u: {"url": f"{u}/hook"}, [(204, "")], [("GET", "/hook", "m")], name="no section"),
    Case("slack", lambda u: {"apiURL": f"{u}/api/", "token": "t", "username": "bot", "icon": ":x:", "disableUnfurl": "true"},
         [(200, {"ok": True, "channel": "C1", "ts": "1.0"})],
         [("POST", "/api/chat.postMessage", {"channel": "ch", "text": "m", "token": "t", "username": "bot", "icon_emoji": ":x:", "unfurl_links": "false", "unfurl_media": "false"})],
         recipient="ch", form=True),
    Case("slack", lambda u: {"apiURL": f"{u}/api/", "token": "t"}, [(200, {"ok": True})],
         [("POST", "/api/chat.postMessage", {"channel": "ch", "text": "m", "token": "t", "attachments": '[{"title":"a"}]', "blocks": "[]", "reply_broadcast": "true"})],
         {"attachments": '[{"title": "a"}]', "notifyBroadcast": True}, recipient="ch", form=True, name="section"),
    Case("teams", lambda u: {"recipientUrls": {"c": f"{u}/t"}}, [(200, "1")],
         [("POST", "/t", {"@type": "MessageCard", "context": "https://schema.org/extensions", "title": "t", "summary": "", "text": "m", "themeColor": "#fff",
                          "sections": [{"s": 1}, {"facts": [{"name": "a", "value": "b"}]}], "potentialAction": [{}]})],
         {"title": "t", "themeColor": "#fff", "facts": FACTS, "sections": '[{"s":1}]', "potentialAction": "[{}]"}, recipient="c"),
    Case("teams", lambda u: {"recipientUrls": {"c": f"{u}/t"}}, [(200, "1")], [("POST", "/t", {"a": 1})], {"template": '{"a":1}'}, recipient="c", name="template"),
    Case("teams-workflows", lambda u: {"recipientUrls": {"c": f"{u}/powerautomate/x"}}, [(202, "")],
         [("POST", "/powerautomate/x", {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {
             "type": "AdaptiveCard", "version": "1.4", "body": [
                 {"type": "TextBlock", "text": "t", "size": "Large", "weight": "Bolder", "wrap": True, "color": "Good"},
                 {"type": "TextBlock", "text": "m", "wrap": True},
                 {"type": "FactSet", "facts": [{"title": "a", "value": "b"}]}],
             "actions": [{"type": "Action.OpenUrl", "title": "Go", "url": "http://x"}]}}]})],
         {"title": "t", "themeColor": "Good", "facts": FACTS, "potentialAction": '[{"@type":"OpenUri","name":"Go","targets":[{"os":"default","uri":"http://x"}]}]'}, recipient="c"),
    Case("googlechat", lambda u: {"webhooks": {"c": f"{u}/g?key=k"}}, [(200, {})], [("POST", "/g?key=k", {"text": "m"})], recipient="c"),
    Case("googlechat", lambda u: {"webhooks": {"c": f"{u}/g"}}, [(200, {})],
         [("POST", "/g?threadKey=k&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", {"text": "", "cards": [{"a": 1}]})],
         {"cards": "- a: 1\n", "threadKey": "k"}, recipient="c", name="cards"),
    Case("telegram", lambda u: {"token": "t:1", "apiURL": u}, [(200, {"ok": True})],
         [("POST", "/bott:1/getMe", {}), ("POST", "/bott:1/sendMessage", {"chat_id": "-100", "text": "m", "parse_mode": "Markdown", "message_thread_id": "7"})],
         recipient="-100|7", form=True),
    Case("telegram", lambda u: {"token": "t", "apiURL": u}, [(200, {"ok": True})],
         [("POST", "/bott/getMe", {}), ("POST", "/bott/sendMessage", {"chat_id": "@news", "text": "m", "parse_mode": "Markdown"})],
         recipient="news", form=True, name="channel"),
    Case("mattermost", lambda u: {"apiURL": u, "token": "t"}, [(201, {})],
         [("POST", "/api/v4/posts", {"channel_id": "c", "message": "m", "props": {"attachments": [{"a": 1}]}})],
         {"attachments": '[{"a":1}]'}, recipient="c", headers={"Authorization": "Bearer t"}),
    Case("rocketchat", lambda u: {"serverUrl": u, "email": "e", "password": "p", "alias": "A"},
         [(200, {"status": "success", "data": {"authToken": "a", "userId": "u"}}), (200, {"success": True})],
         [("POST", "/api/v1/login", "user=e&password=p"), ("POST", "/api/v1/chat.postMessage", {"channel": "#c", "text": "m", "alias": "A"})],
         recipient="#c", headers={"X-Auth-Token": "a", "X-User-Id": "u"}),
    Case("opsgenie", lambda u: {"apiUrl": u, "apiKeys": {"team": "k"}}, [(202, {"result": "ok"})],
         [("POST", "/v2/alerts", {"message": "m", "description": "d", "priority": "P1", "tags": ["a"], "details": {"x": "y"},
                                  "responders": [{"type": "team", "id": "team"}], "source": "Argo CD"})],
         {"description": "d", "priority": "P1", "tags": ["a"], "details": {"x": "y"}}, recipient="team", headers={"Authorization": "GenieKey k"}),
    Case("pagerduty", lambda u: {"token": "t", "from": "a@b", "apiURL": u}, [(201, {})],
         [("POST", "/incidents", {"incident": {"type": "incident", "title": "t", "service": {"id": "S", "type": "service_reference"}, "urgency": "high",
                                               "priority": {"id": "P", "type": "priority"}, "body": {"type": "incident_details", "details": "b"}}})],
         {"title": "t", "body": "b", "urgency": "high", "priorityId": "P"}, recipient="S", headers={"Authorization": "Token token=t", "From": "a@b"}),
    Case("pagerdutyv2", lambda u: {"serviceKeys": {"s": "k"}, "apiURL": u}, [(202, {})],
         [("POST", "/v2/enqueue", {"routing_key": "k", "event_action": "trigger", "client": "ArgoCD", "client_url": "http://x", "dedup_key": "d",
                                   "payload": {"summary": "s", "severity": "error", "source": "web", "class": "c"}})],
         {"summary": "s", "severity": "error", "source": "web", "class": "c", "url": "http://x", "dedupKey": "d"}, recipient="s"),
    Case("grafana", lambda u: {"apiUrl": f"{u}/api", "apiKey": "k"}, [(200, {})],
         [("POST", "/api/annotations", {"time": 1_700_000_000_000, "isRegion": False, "tags": ["a", "b"], "text": "m"})],
         recipient="a|b", headers={"Authorization": "Bearer k"}),
    Case("github", lambda u: {"appID": "1", "installationID": "2", "privateKey": KEY, "enterpriseBaseURL": u},
         [(201, {"token": "ghs"}), (201, {}), (200, []), (201, {"id": 5}), (201, {}), (200, [{"number": 9}]), (200, [{"id": 3, "body": "x <!-- argocd-notifications t -->"}]), (200, {}), (201, {}), (204, "")],
         [("POST", "/app/installations/2/access_tokens", ""),
          ("POST", "/api/v3/repos/o/r/statuses/abc", {"state": "success", "description": "m", "context": "ci", "target_url": "http://x"}),
          ("GET", "/api/v3/repos/o/r/deployments?ref=abc&environment=prod", ""),
          ("POST", "/api/v3/repos/o/r/deployments", {"ref": "abc", "environment": "prod", "required_contexts": [], "auto_merge": True, "transient_environment": False}),
          ("POST", "/api/v3/repos/o/r/deployments/5/statuses", {"state": "success", "log_url": "", "description": "m", "environment": "prod", "environment_url": ""}),
          ("GET", "/api/v3/repos/o/r/commits/abc/pulls", ""),
          ("GET", "/api/v3/repos/o/r/issues/9/comments?per_page=100", ""),
          ("PATCH", "/api/v3/repos/o/r/issues/comments/3", {"body": "hi\n<!-- argocd-notifications t -->"}),
          ("POST", "/api/v3/repos/o/r/check-runs", {"name": "n", "head_sha": "abc", "external_id": "argocd-notifications", "details_url": "", "status": "completed", "conclusion": "success"}),
          ("POST", "/api/v3/repos/o/r/dispatches", {"event_type": "e", "client_payload": {"a": 1}})],
         {"repoURLPath": "https://github.com/o/r.git", "revisionPath": "abc", "status": {"state": "success", "label": "ci", "targetURL": "http://x"},
          "deployment": {"state": "success", "environment": "prod"}, "pullRequestComment": {"content": "hi", "commentTag": "t"},
          "checkRun": {"name": "n", "conclusion": "success"}, "repositoryDispatch": {"event_type": "e", "client_payload": '{"a":1}'}},
         headers={"Authorization": "Bearer ghs"}),
    Case("alertmanager", lambda u: {"targets": [u.removeprefix("http://")], "bearerToken": "t"}, [(200, {})],
         [("POST", "/api/v2/alerts", [{"labels": {"alertname": "tpl", "a": "b"}, "annotations": {}, "generatorURL": "https://h/o/r", "startsAt": "2023-11-14T22:13:20Z"}])],
         {"labels": {"a": "b"}, "generatorURL": "git@h:o/r"}, headers={"Authorization": "Bearer t"}),
    Case("pushover", lambda u: {"token": "a" * 30, "apiURL": u}, [(200, {"status": 1})],
         [("POST", "/1/messages.json", {"token": "a" * 30, "user": "u", "message": "m", "priority": "0"})], recipient="u", form=True),
    Case("webex", lambda u: {"token": "t", "apiURL": f"{u}/"}, [(200, {})], [("POST", "/v1/messages", {"toPersonEmail": "a@b.c", "markdown": "m"})],
         recipient="a@b.c", headers={"Authorization": "Bearer t"}),
    Case("newrelic", lambda u: {"apiKey": "k", "apiURL": u}, [(201, {})],
         [("POST", "/v2/applications/7/deployments.json", {"deployment": {"revision": "r", "description": "m", "user": "u"}})],
         {"revision": "r", "user": "u"}, recipient="7", headers={"X-Api-Key": "k"}),
    Case("awssqs", lambda u: {"queue": "q", "region": "eu-west-1", "endpointUrl": u, "key": "AK", "secret": "SK", "account": "12"},
         [(200, {"QueueUrl": "http://q"}), (200, {"MessageId": "1"})],
         [("POST", "/", {"QueueName": "q", "QueueOwnerAWSAccountId": "12"}),
          ("POST", "/", {"QueueUrl": "http://q", "MessageBody": "m", "DelaySeconds": 10, "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}}})],
         {"messageAttributes": {"a": "b"}}, headers={"X-Amz-Target": "AmazonSQS.SendMessage"}),
    Case("gcppubsub", lambda u: {"project": "p", "topic": "t", "endpoint": u, "key": json.dumps({"client_email": "a@b", "private_key": KEY, "token_uri": f"{u}/token"})},
         [(200, {"access_token": "g"}), (200, {"messageIds": ["1"]})],
         [("POST", "/token", None), ("POST", "/v1/projects/p/topics/t:publish", {"messages": [{"data": "bQ==", "attributes": {"a": "b"}}]})],
         {"attributes": {"a": "b"}}, headers={"Authorization": "Bearer g"}),
]  # fmt: skip


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


HTTP_KINDS = {case.kind: case for case in CASES}


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
        job = Job("hook", "", "m", None, Reach(http, lambda: 0.0))
        if status == 200:
            assert await service.send(options, job) is None
        else:
            with pytest.raises(Delayed):
                await service.send(options, job)
