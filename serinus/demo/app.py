"""The demo application: returns its colour, so that the version which served a request is visible.

It is compatible with the usual rollouts demo: its page, its images' tags and its parameters work here.

    GET /        the page of squares: requests /color 50 times a second and draws each answer
    GET /color   the colour as a JSON string, "green"; status 500 with the same body if a failure is set
    POST /color  the same, with the page's settings for each colour, as a JSON list:
                 [{"color": "green", "delayPercent": 50, "delayLength": 1, "return500": 10}]
                 (half of the answers 1 second late, a tenth of them a 500)
    GET /metrics       counts of its requests, for Prometheus: http_requests_total{code="200"} and so on
    GET /metrics.json  the same as {"requests": 10, "errors": 1, "successRate": 0.9}

A tag is a colour, or `bad-` and a colour (15 % of answers fail), or `slow-` and a colour (every answer 2 seconds late).
Without a colour, each answer has a random one.

Twenty instances run at once on a laptop. So it has its own HTTP/1.1 server on asyncio's protocols, without TLS or an
HTTP library, which would cost memory or start-up time.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # asyncio imports TLS if present: 4 MB and 10 ms for an unused feature.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]

import asyncio
import json
import os
import random
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from serinus.demo.counts import TEXT_TYPE, Counts
from serinus.demo.http11 import DemoResponse, DemoServer

COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
BAD_ERROR_RATE = 15.0
SLOW_LATENCY = 2.0
DRAIN_SECONDS = 0.25

_STATIC = Path(__file__).with_name("static")
_PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/squares.js": ("squares.js", "text/javascript; charset=utf-8"),
    "/squares.css": ("squares.css", "text/css; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class AppSettings:
    """`error_rate` in percent of answers; all times in seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    color: str = ""
    latency: float = 0.0
    error_rate: float = 0.0
    start_delay: float = 0.0
    stop_delay: float = DRAIN_SECONDS


class BadSetting(Exception):
    """An invalid setting; the message has its name, its value and the valid values."""


def with_tag(settings: AppSettings, tag: str) -> AppSettings:
    """The settings for an image's tag; raises BadSetting for an unknown tag."""
    kind, dash, color = tag.rpartition("-")
    if color not in COLORS or kind not in ("", "bad", "slow") or bool(dash) != bool(kind):
        raise BadSetting(f"color {tag!r}: use one of {', '.join(COLORS)}, or bad-COLOR, or slow-COLOR")
    if kind == "bad":
        settings = replace(settings, error_rate=BAD_ERROR_RATE)
    elif kind == "slow":
        settings = replace(settings, latency=SLOW_LATENCY)
    return replace(settings, color=color)


def read_settings(args: Sequence[str], env: Mapping[str, str]) -> AppSettings:
    """Reads `--name value` or `--name=value`, else the environment (name in capitals), else the defaults.

    argparse would take a third of the start-up time.
    """
    given = {
        name: env[name.upper()]
        for name in ("host", "port", "color", "latency", "error_rate", "start_delay", "stop_delay")
        if env.get(name.upper())
    }
    rest = list(args)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        key = name.removeprefix("--").replace("-", "_")
        if not name.startswith("--") or key not in AppSettings.__dataclass_fields__ or (not equals and not rest):
            raise BadSetting(
                f"option {name!r}: use --host, --port, --color, --latency, --error-rate, --start-delay or --stop-delay,"
                " each with a value"
            )
        given[key] = value if equals else rest.pop(0)
    settings = AppSettings()
    if tag := given.pop("color", ""):
        settings = with_tag(settings, tag)
    numbers: dict[str, Any] = {}
    for key, value in given.items():
        if key == "host":
            numbers[key] = value
            continue
        try:
            numbers[key] = int(value) if key == "port" else float(value)
        except ValueError:
            raise BadSetting(f"{key} {value!r}: use a number") from None
        if not 0 <= numbers[key] <= (65535 if key == "port" else 1e6):
            raise BadSetting(f"{key} {value!r}: out of range")
    return replace(settings, **numbers)


def answer_color(settings: AppSettings, body: bytes, chance: random.Random) -> DemoResponse:
    """The response of /color. `body` may contain the page's settings; those for other colours are ignored."""
    color = settings.color or chance.choice(COLORS)
    late, status = settings.latency, 200
    if settings.error_rate and chance.uniform(0, 100) < settings.error_rate:
        status = 500
    try:
        wishes: Any = json.loads(body) if body.strip() else []
    except ValueError:
        return DemoResponse(400, b'"the body must be a JSON list of wishes, or empty"')
    for wish in wishes if isinstance(wishes, list) else [wishes]:
        if not isinstance(wish, dict) or wish.get("color") != color:
            continue
        if chance.uniform(0, 100) < _number(wish.get("delayPercent")):
            late += min(_number(wish.get("delayLength")), 60.0)
        if chance.uniform(0, 100) < _number(wish.get("return500")):
            status = 500
    return DemoResponse(status, b'"%b"' % color.encode(), after=late)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def answer(
    settings: AppSettings, method: str, path: str, body: bytes, chance: random.Random, counts: Counts
) -> DemoResponse:
    """The response to a request. `counts` counts it, unless the request reads the counts."""
    path = path.partition("?")[0]
    if path in ("/metrics", "/metrics.json"):
        if method not in ("GET", "HEAD"):
            return DemoResponse(405, b'"use GET"')
        return DemoResponse(200, counts.text(), TEXT_TYPE) if path == "/metrics" else DemoResponse(200, counts.json())
    response = _answer(settings, method, path, body, chance)
    counts.note(response.status)
    return response


def _answer(settings: AppSettings, method: str, path: str, body: bytes, chance: random.Random) -> DemoResponse:
    if path == "/color":
        return (
            answer_color(settings, body, chance)
            if method in ("GET", "HEAD", "POST")
            else DemoResponse(405, b'"use GET or POST"')
        )
    if path not in _PAGES:
        return DemoResponse(404, b'"no such page: try / or /color"')
    if method not in ("GET", "HEAD"):
        return DemoResponse(405, b'"use GET"')
    name, content_type = _PAGES[path]
    return DemoResponse(200, (_STATIC / name).read_bytes(), content_type)


async def serve(settings: AppSettings) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    chance, counts = random.Random(), Counts()
    server = DemoServer(
        host=settings.host,
        port=settings.port,
        respond=lambda method, path, body: answer(settings, method, path, body, chance, counts),
        name=settings.color or "random colours",
        start_delay=settings.start_delay,
        stop_delay=settings.stop_delay,
    )
    await server.run(stop)


def main() -> int:
    try:
        asyncio.run(serve(read_settings(sys.argv[1:], os.environ)))
    except BadSetting as error:
        print(f"rollouts-demo: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"rollouts-demo: cannot listen: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
