"""Metric plugins: executables that speak JSON lines, and Python entry points."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from serinus.analysis.providers import plugin as module
from serinus.analysis.providers.plugin_interface import Answer, Question
from serinus.api.analysis import Measurement
from serinus.api.values.times import format_time
from tests.support.analysis.vendor import CONTROLLER, World

ECHO = """
import json, sys
asked = json.loads(sys.stdin.readline())
config = asked.get("config") or {}
print(json.dumps(config.get(asked["operation"]) or {"phase": "Successful", "value": json.dumps(asked)}))
"""


def installed(world: World, path: Path, script: str = ECHO, **fields: Any) -> None:
    program = path / "plugin"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(0o755)
    rows = [{"name": "org/own", "location": f"file://{program}", **fields}]
    world.cluster.objects["configmaps", CONTROLLER, "argo-rollouts-config"] = {
        "data": {"metricProviderPlugins": json.dumps(rows)}
    }


def named(**answers: Any) -> dict[str, Any]:
    return {"org/own": answers}


async def test_an_executable_is_asked_with_all_it_needs(world: World, tmp_path: Path) -> None:
    installed(world, tmp_path)
    measured = await world.measured("plugin", {"org/own": {"query": "q"}}, successCondition="result > 1")
    assert measured.phase == "Successful"
    asked = json.loads(measured.value)
    assert (asked["operation"], asked["name"], asked["config"]) == ("Run", "org/own", {"query": "q"})
    assert asked["metric"]["successCondition"] == "result > 1"
    assert asked["run"]["metadata"]["name"] == "run"


async def test_a_longer_measurement_is_resumed_and_ended(world: World, tmp_path: Path) -> None:
    installed(world, tmp_path)
    answers = named(
        Run={"phase": "Running", "metadata": {"id": "7"}, "resumeAfter": 30},
        Resume={"phase": "Failed", "value": "0.2", "message": "too low"},
        Terminate={"phase": "Inconclusive"},
    )
    metric = world.metric("plugin", answers)
    begun = await world.task(metric, None)
    assert (begun.phase, begun.metadata, begun.finished_at) == ("Running", {"id": "7"}, None)
    assert begun.resume_at == format_time(world.now + 30.75)
    ended = await world.task(metric, begun, "resume")
    assert (ended.phase, ended.value, ended.message, ended.metadata) == ("Failed", "0.2", "too low", {"id": "7"})
    stopped = await world.task(metric, begun, "terminate")
    assert (stopped.phase, stopped.message) == ("Inconclusive", "Metric Terminated")
    await module.PROVIDER.clean_up(world.call(metric), 3)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("print('nonsense')", "did not print an answer as a line of JSON"),
        ('print(\'{"phase": "Great"}\')', "did not print an answer as a line of JSON"),
        ("print('{}')", "failed to run via plugin: its answer has no phase"),
        ("raise SystemExit(3)", "ended with 3 and printed no answer"),
        ("print('x' * 1000000)", "printed a line of more than 65536 bytes"),
    ],
)
async def test_what_a_plugin_does_wrong_is_told(world: World, tmp_path: Path, script: str, message: str) -> None:
    installed(world, tmp_path, f"import sys; sys.stdin.readline(); {script}")
    measured = await world.measured("plugin", named())
    assert measured.phase == "Error"
    assert measured.message.startswith("failed to run via plugin: ")
    assert message in measured.message


async def test_a_plugin_that_does_not_answer_is_stopped(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(world, tmp_path, "import time\nwhile True: time.sleep(1)")
    monkeypatch.setattr(module, "TIME_LIMIT", 0.3)
    assert "no answer in 0 s" in (await world.measured("plugin", named())).message


async def test_only_the_file_that_was_meant_is_run(world: World, tmp_path: Path) -> None:
    installed(world, tmp_path, sha256="0" * 64)
    assert "is not the file whose sha256 is" in (await world.measured("plugin", named())).message
    digest = hashlib.sha256((tmp_path / "plugin").read_bytes()).hexdigest()
    installed(world, tmp_path, sha256=digest)
    assert (await world.measured("plugin", named())).phase == "Successful"
    installed(world, tmp_path, location="https://example.com/plugin")
    assert "only file:// is run" in (await world.measured("plugin", named())).message


class Own:
    async def run(self, question: Question) -> Answer:
        if question.config:
            raise ValueError("it broke")
        return Answer("Successful", value="1")


async def test_python_plugins_are_found_by_their_entry_point(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.PROVIDER, "_loaded", {})
    point = EntryPoint("org/own", "own:Own", "serinus.metric_plugins")
    monkeypatch.setattr(EntryPoint, "load", lambda _self: Own)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(module, "entry_points", lambda group, name: [point] if name == "org/own" else [])
    assert (await world.measured("plugin", named())).value == "1"
    broken = await world.measured("plugin", named(x=1))
    assert broken.message == "failed to run via plugin: it broke"
    missing = await world.measured("plugin", {"org/none": {}})
    where = f"neither ConfigMap {CONTROLLER}/argo-rollouts-config (metricProviderPlugins) nor an entry point"
    assert missing.message.startswith(f"failed to create plugin: {where}")


async def test_a_metric_names_one_plugin(world: World) -> None:
    measured = await world.measured("plugin", {"a": {}, "b": {}})
    assert measured.message.startswith("failed to create plugin: provider.plugin names exactly one plugin")
    assert measured.phase == "Error"


async def test_a_measurement_is_not_mixed_up_with_the_one_before(world: World, tmp_path: Path) -> None:
    installed(world, tmp_path)
    before = Measurement("Running", metadata={"id": "1"}, value="old")
    measured = await world.task(world.metric("plugin", named(Resume={"phase": "Successful"})), before, "resume")
    assert (measured.value, measured.metadata) == ("old", {"id": "1"})
