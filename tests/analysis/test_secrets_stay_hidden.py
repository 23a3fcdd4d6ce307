"""No failure of any provider shows a secret: not in the AnalysisRun, a log record, an Event or a label of a metric."""

from __future__ import annotations

import base64
import json
import logging
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from serinus.analysis.hiding import STAND_IN, Hidden
from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.measuring import measure
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import assess
from serinus.analysis.schedule import tasks
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec, AnalysisRunStatus, Measurement, MetricResult
from serinus.controller.monitoring.metrics import Metrics
from tests.support.analysis.mirror import ANSWERS, Mirror, leaks, started_mirror
from tests.support.analysis.provider_pages import KEYS, place_of, provider_part
from tests.support.analysis.provoking import ALL, ARGS, ARGUMENT, PLACES, PLAIN, Place, prepare
from tests.support.analysis.vendor import CONTROLLER, ClusterError, World
from tests.support.long import few

SECRETS = {"marked": {"argument": ARGUMENT + "\n", "plain": PLAIN}}
FROM_SECRETS = {"argument": ARGUMENT, "plain": PLAIN}
"""Values that not even the spec shows: credentials that a user wrote into a metric."""
STATUSES = (400, 401, 403, 404, 405, 422, 500, 503)
CASES = [
    *((name, place) for name in PLACES for place in PLACES[name]),
    *((key, place_of(page)) for page, key in KEYS.items() if key not in ("job", "plugin")),
]
in_module = pytest.mark.asyncio(loop_scope="module")
FIRST = [next(case for case in CASES if case[0] == name) for name in list(dict(CASES))[::2]]
each_place = pytest.mark.parametrize(("name", "place"), few(CASES, FIRST), ids=[name for name, _ in CASES])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mirror() -> AsyncIterator[Mirror]:
    async with started_mirror() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def world(mirror: Mirror) -> AsyncIterator[World]:
    mirror.status, mirror.kind = 200, "text"
    async with Http(largest=1_000_000, longest=20) as http:
        yield World(None, http)  # type: ignore[arg-type]


async def shown(
    world: World, name: str, config: dict[str, Any], before: Measurement | None = None, **fields: Any
) -> str:
    """All output of a pass, as one text."""
    metric = {"name": "value-{{args.plain}}", "provider": provider_part(name, config), **fields}
    spec = msgspec.convert({"metrics": [metric], "args": ARGS}, AnalysisRunSpec)
    resolved = resolve(spec, SECRETS)
    run = AnalysisRun(world.run.metadata, spec, AnalysisRunStatus(phase="Running", started_at="2026-09-21T13:33:00Z"))
    if before is not None:
        result = MetricResult(resolved.metrics[0].name, "Running", [before])
        run = msgspec.structs.replace(run, status=msgspec.structs.replace(run.status, metric_results=[result]))
    measured = await measure(run, tasks(run, resolved, world.now), world.reach(), resolved.secrets)
    assessed = assess(run, resolved, measured, world.now)
    assert assessed.status.metric_results[0].measurements, "it was not measured"
    after = msgspec.structs.replace(run, status=assessed.status)
    written = msgspec.json.encode(after).decode() + repr(after) + repr(resolved) + repr(measured)
    assert leaks(written, FROM_SECRETS) == [], written
    events = [f"{event.reason} {event.message}" for event in assessed.events]
    found = [f"{one.measurement!r} {one.metadata!r}" for one in measured]
    return "\n".join([msgspec.json.encode(assessed.status).decode(), *found, *events])


@pytest.fixture(autouse=True)
def _no_record_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert leaks("\n".join(record.getMessage() for record in caplog.records)) == []


def test_every_provider_is_provoked() -> None:
    assert {name for name, _ in CASES} == set(KEYS.values())


@each_place
@in_module
async def test_a_server_that_sends_back_what_it_was_sent(world: World, mirror: Mirror, name: str, place: Place) -> None:
    config = prepare(world, place, mirror.url)
    for kind in ANSWERS:
        for mirror.status in (200, *STATUSES) if kind in ("text", "object", "xml error", "padded") else (200, 401):
            mirror.kind = kind
            text = await shown(world, name, config, interval="1m", count=3)
            assert leaks(text) == [], f"{kind} {mirror.status}: {leaks(text)[:3]}: {text}"


@each_place
@pytest.mark.parametrize(
    "condition", ["{{args.argument}}", "result > '{{args.plain}}'", "'{{args.plain}}' + 1", "{{args.plain}}(result)"]
)
@in_module
async def test_a_condition_that_has_no_value(
    world: World, mirror: Mirror, name: str, place: Place, condition: str
) -> None:
    config = prepare(world, place, mirror.url)
    mirror.kind = "list" if name == "graphite" else "json"
    for field in ("successCondition", "failureCondition"):
        text = await shown(world, name, config, interval="1m", count=3, **{field: condition})  # pyright: ignore
        assert leaks(text) == [], text


ADDRESSES = {
    "refused": "http://127.0.0.1:{closed}",
    "no such host": "http://{{args.plain}}.invalid",
    "no TLS": "https://127.0.0.1:{open}",
    "silent": "http://127.0.0.1:{silent}",
    "no port": "http://127.0.0.1:{{args.plain}}",
    "no URL": "http://[{{args.plain}}",
    "no URL at all": "{{args.argument}}",
    "ftp": "ftp://{{args.plain}}@host",
    "credentials": "http://user:{{args.plain}}@127.0.0.1:{closed}",
    "a blank": "http://{{args.plain}} x/",
}


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, str]]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            gone = closed.getsockname()[1]
        yield {"closed": str(gone), "silent": str(silent.getsockname()[1])}


@each_place
@in_module
async def test_a_server_that_cannot_be_reached(
    world: World, mirror: Mirror, ports: dict[str, str], name: str, place: Place
) -> None:
    for what, address in ADDRESSES.items():
        for key, port in {**ports, "open": mirror.url.rpartition(":")[2]}.items():
            address = address.replace(f"{{{key}}}", port)
        config = prepare(world, place, address)
        async with Http(longest=0.05 if what == "silent" else 20) as world.http:
            text = await shown(world, name, config, interval="1m", count=3)
        assert leaks(text) == [], f"{what}: {leaks(text)[:3]}: {text}"


@pytest.mark.parametrize(
    "value", ["{{args.argument}}\n", "{{args.plain}}\r\nEvil: 1", "{{args.plain}}\x00", "é{{args.argument}}"]
)
@pytest.mark.parametrize("name", ["web", "prometheus"])
@in_module
async def test_a_header_that_cannot_be_sent(world: World, mirror: Mirror, name: str, value: str) -> None:
    for header in ({"key": "X-A", "value": value}, {"key": value, "value": "x"}):
        place = Place({"url": "URL", "address": "URL", "query": "up", "headers": [header]})
        text = await shown(world, name, prepare(world, place, mirror.url))
        assert leaks(text) == [], text


@each_place
@in_module
async def test_an_api_server_that_quotes_what_it_refuses(world: World, mirror: Mirror, name: str, place: Place) -> None:
    config = prepare(world, place, mirror.url)
    for code in (403, 404, 409, 422, 500):
        said = f'Invalid value: "{json.dumps(ALL)}": {ALL!r}'
        world.cluster.broken = ClusterError(code, said)
        assert (
            leaks(await shown(world, name, config, interval="1m", count=3), {"argument": ARGUMENT, "plain": PLAIN})
            == []
        )


@pytest.mark.parametrize(
    ("name", "metadata"), [("job", {"job-name": "j"}), ("kayenta", {"canaryExecutionId": "e"}), ("plugin", {})]
)
@in_module
async def test_a_measurement_that_goes_on(
    world: World, mirror: Mirror, tmp_path: Path, name: str, metadata: dict[str, str]
) -> None:
    _install(world, tmp_path)
    waiting = {"waiting": {"reason": "ErrImagePull", "message": f"{ARGUMENT} {PLAIN}"}}
    pod = {
        "metadata": {"name": "p", "namespace": "ns", "labels": {"job-name": "j"}},
        "status": {"containerStatuses": [{"name": "c", "state": waiting}]},
    }
    world.cluster.objects["pods", "ns", "p"] = pod
    world.cluster.objects["jobs", "ns", "j"] = {"metadata": {"name": "j"}}
    before = Measurement("Running", started_at="2026-09-21T13:33:00Z", metadata=metadata)
    for kind in ANSWERS:
        for mirror.status in (200, 500):
            mirror.kind = kind
            text = await shown(world, name, prepare(world, PLACES[name][0], mirror.url), before, interval="1m", count=3)
            assert leaks(text) == [], (kind, text)


ECHO = """
import json, sys
asked = sys.stdin.readline()
sys.stderr.write(asked)
kind = json.loads(asked)["metric"]["interval"]
answers = {
    "1m": json.dumps({"phase": "Failed", "message": asked, "value": asked, "metadata": {"a": asked, asked[:2000]: "b"}}),
    "2m": json.dumps({"phase": "Running", "metadata": {"a": asked}}),
    "3m": json.dumps({"phase": asked}),
    "4m": asked,
}
print(answers[kind])
"""


def _install(world: World, folder: Path) -> None:
    program = folder / "plugin"
    program.write_text(f"#!{sys.executable}\n{ECHO}")
    program.chmod(0o755)
    rows = json.dumps([{"name": "org/own", "location": f"file://{program}"}])
    data = {"data": {"metricProviderPlugins": rows}}
    world.cluster.objects["configmaps", CONTROLLER, "argo-rollouts-config"] = data


@pytest.mark.parametrize("interval", ["1m", "2m", "3m", "4m"])
@in_module
async def test_a_plugin_that_says_what_it_was_asked(world: World, tmp_path: Path, interval: str) -> None:
    _install(world, tmp_path)
    text = await shown(world, "plugin", PLACES["plugin"][0].config, interval=interval, count=3)
    assert leaks(text) == [], text


@in_module
async def test_what_an_oauth2_server_gives_is_hidden_as_well(world: World, mirror: Mirror) -> None:
    mirror.kind = "object"  # its access_token
    config = prepare(world, PLACES["web"][1], mirror.url)
    text = await shown(world, "web", config)
    assert leaks(text, {"token": PLAIN + "-token"}) == []
    assert STAND_IN in text


def test_names_of_metrics_are_labels_and_hold_stand_ins() -> None:
    spec = {"metrics": [{"name": "a-{{args.plain}}", "provider": {"web": {"url": "http://x"}}}], "args": ARGS}
    resolved = resolve(msgspec.convert(spec, AnalysisRunSpec), SECRETS)
    assert [metric.name for metric in resolved.metrics] == ["a-temp-for-secret"]
    assert resolved.metrics[0].metric.name == "a-temp-for-secret"
    assert Metrics is not None


@in_module
async def test_a_query_is_shown_with_stand_ins(world: World, mirror: Mirror) -> None:
    config = prepare(world, Place({"address": "URL", "query": 'up{token="{{args.argument}}"}'}), mirror.url)
    assert '"ResolvedPrometheusQuery":"up{token=\\"*****\\"}"' in await shown(world, "prometheus", config)


async def _measured_with(world: World, secret: str, provider: str, config: dict[str, Any]) -> Measurement:
    args = [{"name": "short", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    spec = msgspec.convert({"metrics": [{"name": "v", "provider": {provider: config}}], "args": args}, AnalysisRunSpec)
    resolved = resolve(spec, {"s": {"k": secret}})
    run = AnalysisRun(world.run.metadata, spec)
    (measured,) = await measure(run, tasks(run, resolved, world.now), world.reach(), resolved.secrets)
    return measured.measurement


@pytest.mark.parametrize("secret", ["a", "ab", "7", "no!"])
@in_module
async def test_a_short_secret_hides_what_a_server_says_and_not_the_message(
    world: World, mirror: Mirror, secret: str
) -> None:
    mirror.status = 500
    web = {"url": f"{mirror.url}/x?k={{{{args.short}}}}", "headers": [{"key": "X", "value": "{{args.short}}"}]}
    graph = {"address": mirror.url, "query": "target={{args.short}}"}
    for provider, config, message in (
        ("web", web, "received non 2xx response code: 500"),
        ("graphite", graph, "error response: *****"),
    ):
        assert (await _measured_with(world, secret, provider, config)).message == message
    mirror.status, mirror.kind = 200, "json"
    measured = await _measured_with(world, secret, "web", web)
    assert (measured.phase, measured.value) == ("Successful", STAND_IN)


def test_text_without_the_secret_stays() -> None:
    assert Hidden(["ab"]).message("GET /about: ", "connection refused", 100) == "GET /about: connection refused"
    assert Hidden(["ab"]).message("GET /about: ", "no cab", 100) == "GET /about: *****"
    assert Hidden(["ab"]).foreign(base64.b64encode(b"ab\n").decode(), 100) == STAND_IN
    assert Hidden(["long-secret"]).text("a long text", 100) == "a long text"


def test_a_secret_at_the_bound_is_hidden_before_the_text_is_cut() -> None:
    for at in range(80, 101):
        text = Hidden(["s3cret-word"]).text("x" * at + "s3cret-word" + "y" * 50, 100)
        assert len(text) <= 100
        assert "s3" not in text
