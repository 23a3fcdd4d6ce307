"""A server that answers with all that it was sent, in every form, and a search for secrets in every form."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from aiohttp import web

from tests.support.analysis.provoking import ALL, PLAIN


def forms(secret: str) -> Iterator[str]:
    """How a secret may be written, in lower case and in upper case as well."""
    for text in (secret, secret + "\n", f"user:{secret}", f"id:{quote_plus(secret)}", f"Bearer {secret}"):
        data = text.encode()
        for coded in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
            yield coded
            yield coded.rstrip("=")
            yield quote(coded, safe="")
    yield base64.b64encode(base64.b64encode(secret.encode())).decode()
    once = quote(secret, safe="")
    yield from (secret, secret.strip(), once, once.lower(), quote(secret), quote_plus(secret), quote(once, safe=""))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    yield from (json.dumps(json.dumps(secret))[1:-1], repr(secret.encode())[2:-1], html.escape(secret))
    yield from (secret.encode("unicode_escape").decode(), secret.encode().hex(), repr(repr(secret))[1:-1])
    yield html.escape(json.dumps(secret)[1:-1])


def leaks(text: str, secrets: Mapping[str, str] = ALL) -> list[str]:
    """The secrets that the text shows in some form, or a row of eight characters of."""
    folded = text.lower()
    found = [
        f"{name} as {form!r}" for name, secret in secrets.items() for form in forms(secret) if form.lower() in folded
    ]
    for name, secret in secrets.items():
        rows = (secret[at : at + 8] for at in range(len(secret) - 7))
        found += [f"{name} in part: {row!r}" for row in rows if row.lower() in folded]
    return found


@dataclass
class Mirror:
    """A server whose answer contains its request: `answer(echo) -> Response`."""

    url: str = ""
    status: int = 200
    kind: str = "text"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode("utf-8", "replace")
        said = "\n".join(
            [f"{request.method} {request.raw_path}", *(f"{k}: {v}" for k, v in request.headers.items()), body]
        )
        basic = request.headers.get("Authorization", "")
        with contextlib.suppress(ValueError):
            said += "\n" + base64.b64decode(basic.partition(" ")[2]).decode("utf-8", "replace")
        said += f"\n{request.path}\n{request.query_string}\n{dict(request.query)}"
        if "redirect" in self.kind:
            target = "ftp://" if self.kind == "redirect to nowhere" else f"{self.url}/again"
            return web.Response(status=302, headers={"Location": f"{target}?{quote(said)}"})
        return web.Response(status=self.status, body=ANSWERS[self.kind](said).encode("utf-8", "surrogateescape"))


def _xml(said: str) -> str:
    return (
        f"<R><Error><Code>{html.escape(said[:20])}</Code><Message>{html.escape(_printable(said))}</Message></Error></R>"
    )


def _printable(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd]", "?", text)


def _cloud(said: str) -> str:
    said = html.escape(_printable(said))
    member = f"<member><Id>{said}</Id><Label>{said}</Label><Values><member>{said}</member></Values></member>"
    return f"<R><GetMetricDataResult><MetricDataResults>{member}</MetricDataResults></GetMetricDataResult></R>"


def _shapes(said: str) -> dict[str, Any]:
    """One object that each vendor's reader parses deeply, with the echo in every place."""
    return {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [{"value": [1, said]}],
            "errors": said,
            "attributes": {"columns": [{"type": "number", "values": [said]}]},
            "actor": {"account": {"nrql": {"results": [{said: said}]}}},
        },
        "warnings": [said],
        "errors": [{"message": said}],
        "errorType": said,
        "errorMessage": said,
        "error": said,
        "code": said,
        "message": said,
        "series": [{"pointlist": [[1, said]]}],
        "timeseries": [{"data": [[1, said]]}],
        "access_token": PLAIN + "-token",
        "canaryExecutionId": said[:300],
        "complete": said,
        "name": said,
    }


ANSWERS: dict[str, Any] = {
    "text": lambda said: said,
    "padded": lambda said: "x" * 480 + said * 3 + "y" * 9_000 + said * 5,
    "json": lambda said: json.dumps(said),
    "escaped twice": lambda said: json.dumps(json.dumps(said)),
    "html": lambda said: f"<html>{html.escape(json.dumps(said))}</html>",
    "repr": repr,
    "percent": lambda said: quote(said, safe=""),
    "base64": lambda said: base64.b64encode(said.encode("utf-8", "surrogateescape")).decode(),
    "upper": str.upper,
    "object": lambda said: json.dumps(_shapes(said)),
    "refusal": lambda said: json.dumps({"status": "error", "errorType": said, "error": said}),
    "list": lambda said: json.dumps([{"name": said, "id": said, "datapoints": [[said, 1]]}]),
    "xml error": _xml,
    "xml": _cloud,
    "csv": lambda said: "#datatype,string,long\n,error\n," + json.dumps(said) + "\n",
    "csv values": lambda said: "#datatype,string,long\n,_value\n," + re.sub(r"[\n\r,\"]", " ", said) + "\n",
    "deep": lambda said: "[" * 200 + json.dumps(said) + "]" * 200,
    "large": lambda said: json.dumps(said * 60_000)[: 9 * 1024 * 1024],
    "redirect": str,
    "redirect to nowhere": str,
}


@asynccontextmanager
async def started_mirror() -> AsyncGenerator[Mirror]:
    mirror = Mirror()
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{tail:.*}", mirror.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    mirror.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield mirror
    finally:
        await runner.cleanup()
