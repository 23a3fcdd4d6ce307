"""Black-box cases in virtual time: a play, and then questions, each repeated until its answer is right or its time is over.

`tests/recordings/cases.py` has the form, and runs the same on an instance with the real programs
(tests/e2e/test_cases.py). Questions that need a gateway or kubectl's own tables run there only.
"""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.plays import command_line
from tests.support.plays.player import NAMESPACE, Player, in_virtual_time
from tests.support.plays.recordings import RECORDINGS, Json
from tests.support.plays.stage import Stage

CASES = RECORDINGS / "cases"
WITHIN = 10.0
"""Seconds for which a question is repeated by default."""
ASKED_EVERY = 0.4
NEVER_EVERY = 0.5
LIVE_ONLY = {
    "sidecar-is-ready": "the answer is a table that kubectl prints",
    "unknown-kind-in-a-file": "kubectl itself maps kinds to resources",
}
"""Case -> why it is played against a running instance only."""


def cases() -> list[str]:
    """The names of the cases."""
    return sorted(file.stem for file in CASES.glob("*.yaml"))


def case(name: str) -> Json:
    return yaml.safe_load((CASES / f"{name}.yaml").read_text())


def failures(scenario: Json) -> list[str]:
    """Plays a case; returns the questions with wrong answers, with the last answer. Empty when it holds."""
    with tempfile.TemporaryDirectory() as directory:
        return in_virtual_time(_failures(scenario, Path(directory)))


async def _failures(scenario: Json, directory: Path) -> list[str]:
    stage = Stage(directory)
    async with stage.running():
        asker = _Asker(stage)
        await asker.begin()
        never = asyncio.create_task(asker.watch(scenario.get("never", [])))
        await asker.play({"settle": 1, **scenario})
        wrong = [line for question in scenario["expect"] if (line := await asker.until_right(question))]
        never.cancel()
        await asyncio.gather(never, return_exceptions=True)
        await asker.end()
        late = [body["do"] for _, body in asker.notes.actions if "timed out" in body["do"]]
    return [*late, *asker.happened, *wrong]


@dataclass(frozen=True)
class _Answer:
    text: str
    code: int = 0


class _Asker(Player):
    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.happened: list[str] = []

    async def watch(self, never: Sequence[Json]) -> None:
        """Records the first time that a forbidden event happened."""
        while never:
            for question in never:
                answer = await self._ask(question)
                if answer is not None and right(question, answer):
                    self.happened.append(f"happened: {question} -> {answer.text}")
                    return
            await asyncio.sleep(NEVER_EVERY)

    async def until_right(self, question: Json) -> str:
        """Nothing when the answer was right in time, else the question and the last answer."""
        loop = asyncio.get_running_loop()
        end = loop.time() + question.get("within", WITHIN)
        while True:
            answer = await self._ask(question)
            if answer is None or right(question, answer):
                return ""
            if loop.time() > end:
                return f"{question} -> {answer.text} (exit {answer.code})"
            await asyncio.sleep(ASKED_EVERY)

    async def _ask(self, question: Json) -> _Answer | None:
        """None for a question of the gateway, which is not here."""
        if "get" in question:
            return _Answer(_folded(await self.kubectl.get(shlex.split(question["get"]))))
        if "cli" in question or "run" in question:
            line, program = question.get("cli"), command_line.rollouts
            if line is None:
                line, program = question["run"].removeprefix("serinus "), command_line.serinus
            printed = program(line, self.stage.api.handle, NAMESPACE, self.stage.clock)
            text, _, code = printed.rpartition("(exit ")
            return _Answer(_folded(text), int(code.rstrip(")"))) if text else _Answer(_folded(printed))
        return None


def right(question: Json, answer: _Answer) -> bool:
    """Whether an answer meets the question: `is`, `has`, `hasnt`, `code`."""
    return (
        answer.text == str(question.get("is", answer.text))
        and all(part in answer.text for part in _list(question.get("has")))
        and all(part not in answer.text for part in _list(question.get("hasnt")))
        and answer.code == question.get("code", answer.code)
    )


def _list(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _folded(text: str) -> str:
    return " ".join(text.split())
