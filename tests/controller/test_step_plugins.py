"""The discovery and the calls of plugins: Python objects and executables, and every way in which they may fail."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.api.step_plugin import Answer, Question
from serinus.controller import step_plugins
from serinus.controller.step_plugins import StepPlugins
from serinus.kube.client import Client
from serinus.kube.hands import Hands

RUN = Question("Run", "org/check", 1, {"metadata": {"name": "web"}}, {"deep": True}, {"seen": 1})


class Check:
    """As in a third-party package."""

    async def run(self, question: Question) -> Answer:
        return Answer("Successful", f"{question.operation} {question.config}")

    async def abort(self, question: Question) -> Answer:
        raise RuntimeError("cannot undo")


@pytest.fixture
def plugins(store: Any, monkeypatch: pytest.MonkeyPatch) -> StepPlugins:
    def installed(group: str, name: str) -> list[EntryPoint]:
        known = [EntryPoint("org/installed", f"{__name__}:Check", group)]
        return [point for point in known if point.name == name]

    monkeypatch.setattr(step_plugins, "entry_points", installed)
    return StepPlugins(Client(store), "argo-rollouts")


async def configure(store: Any, row: dict[str, Any]) -> None:
    data = {"stepPlugins": yaml.safe_dump([row])}
    await store.put(
        "configmaps", {"metadata": {"name": "argo-rollouts-config", "namespace": "argo-rollouts"}, "data": data}
    )


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "check"
    path.write_text(f"#!{sys.executable}\nimport json, sys\nq = json.loads(input())\n{text}\n")
    path.chmod(0o755)
    return path


async def test_an_installed_plugin_is_called_by_its_entry_point(plugins: StepPlugins):
    question = Question("Run", "org/installed", 0, {}, {"a": 1})
    assert await plugins.call(question) == Answer("Successful", "Run {'a': 1}")


async def test_what_a_plugin_raises_is_an_error_with_its_reason(plugins: StepPlugins):
    assert await plugins.call(Question("Abort", "org/installed", 0, {})) == Answer("Error", "cannot undo")


async def test_an_unknown_plugin_is_named_with_the_places_where_it_was_looked_for(plugins: StepPlugins):
    answer = await plugins.call(RUN)
    where = "neither ConfigMap argo-rollouts/argo-rollouts-config (stepPlugins) nor an entry point serinus.step_plugins has it"
    assert answer == Answer("Error", f"no step plugin 'org/check': {where}")


async def test_an_executable_reads_the_question_and_prints_its_answer(store: Any, plugins: StepPlugins, tmp_path: Path):
    answer = '{"phase": "Running", "message": q["operation"], "requeueAfter": 15, "status": {"seen": 2}}'
    text = f"print(json.dumps({answer}))"
    await configure(store, {"name": "org/check", "location": script(tmp_path, text).as_uri()})
    assert await plugins.call(RUN) == Answer("Running", "Run", 15, {"seen": 2})


async def test_a_plugin_that_is_switched_off_is_passed_over(store: Any, plugins: StepPlugins):
    await configure(store, {"name": "org/check", "location": "file:///nowhere", "disabled": True})
    assert await plugins.call(RUN) == Answer("Successful", disabled=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('print("no", file=sys.stderr); sys.exit(3)', "exited with 3: no"),
        ("print('hello')", "did not print one answer as JSON"),
        ("print('x' * 70000)", "more than 65536"),
    ],
)
async def test_an_executable_that_fails_says_why(
    store: Any, plugins: StepPlugins, tmp_path: Path, text: str, said: str
):
    await configure(store, {"name": "org/check", "location": script(tmp_path, text).as_uri()})
    answer = await plugins.call(RUN)
    assert answer.phase == "Error"
    assert said in answer.message


async def test_another_file_than_the_one_that_was_meant_is_not_run(store: Any, plugins: StepPlugins, tmp_path: Path):
    path = script(tmp_path, 'print(\'{"phase": "Successful"}\')')
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    await configure(store, {"name": "org/check", "location": path.as_uri(), "sha256": right})
    assert (await plugins.call(RUN)).phase == "Successful"
    path.write_text("#!/bin/sh\n")
    assert "is not the file whose sha256 is" in (await plugins.call(RUN)).message


async def test_nothing_is_fetched_from_the_network(store: Any, plugins: StepPlugins):
    await configure(store, {"name": "org/check", "location": "https://example.com/check"})
    assert "only file:// is run" in (await plugins.call(RUN)).message


async def test_a_plugin_that_hangs_keeps_no_worker(store: Any, monkeypatch: pytest.MonkeyPatch):
    class Hangs:
        begun = 0

        async def run(self, question: Question) -> Answer:
            Hangs.begun += 1
            await asyncio.Event().wait()
            raise AssertionError

    hands = Hands(1)
    plugins = StepPlugins(Client(store), "argo-rollouts", hands)
    monkeypatch.setattr(plugins, "_known", {"org/hangs": Hangs()})

    async def worker(namespace: str) -> None:
        await hands.take()
        await plugins.call(Question("Run", "org/hangs", 0, {"metadata": {"namespace": namespace}}))

    calls = [asyncio.create_task(worker(space)) for space in ["a"] * 15 + ["b"] * 2]
    async with asyncio.timeout(10):
        while Hangs.begun < step_plugins.OF_ONE + 2:  # noqa: ASYNC110 - it depends on turns of the loop
            await asyncio.sleep(0)
        await hands.take()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert Hangs.begun == step_plugins.OF_ONE + 2, "the calls of one namespace are bounded"
