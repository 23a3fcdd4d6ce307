"""Calls step plugins: Python objects from entry points, and executables from the ConfigMap `argo-rollouts-config`.

Every call returns an `Answer`. A failure is an Answer of the phase Error, with the reason.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from serinus.analysis.providers.lanes import Lanes
from serinus.api.decoding.nesting import TOO_DEEP, too_deep
from serinus.api.meta import Json
from serinus.api.resources import CONFIG_MAPS
from serinus.api.step_plugin import ENTRY_POINTS, Answer, Question, StepPlugin
from serinus.kube.client import Client
from serinus.kube.errors import ApiError, NotFound
from serinus.kube.hands import Hands

CONFIG = "argo-rollouts-config"
TIME_LIMIT = 60.0
"""Time limit of one call. Longer work returns Running, and the plugin is called again."""
LONGEST_ANSWER = 64 * 1024
"""Bytes. The Rollout's status stores the state in the answer."""
LONGEST_COMPLAINT = 4 * 1024
AT_ONCE, OF_ONE, BESIDE = 20, 10, 80
"""Concurrent calls, concurrent calls of one namespace, and calls that take longer than 10 s. Each may be a process."""


class Configured(msgspec.Struct, rename="camel"):
    """One entry of `stepPlugins`."""

    name: str
    location: str = ""
    sha256: str = ""
    args: list[str] = []
    disabled: bool = False


class StepPlugins:
    """Finds plugins by name. `namespace`: has the ConfigMap, which is read whenever a name is unknown.

    `hands`: of the workers that call it. Other Rollouts proceed during a call. Calls of one namespace take turns.
    """

    def __init__(self, client: Client, namespace: str, hands: Hands | None = None) -> None:
        self._client, self._namespace, self._hands = client, namespace, hands
        self._lanes = Lanes(at_once=AT_ONCE, of_one=OF_ONE, beside=BESIDE)
        self._known: dict[str, StepPlugin | Configured] = {}

    async def call(self, question: Question) -> Answer:
        lane = (question.rollout.get("metadata") or {}).get("namespace")
        if self._hands is None:
            async with self._lanes.slot(lane):
                return await self._called(question)
        async with self._hands.away(), self._lanes.slot(lane):
            return await self._called(question)

    async def _called(self, question: Question) -> Answer:
        try:
            plugin = self._known.get(question.name) or await self._find(question.name)
            async with asyncio.timeout(TIME_LIMIT):
                if isinstance(plugin, Configured):
                    return Answer("Successful", disabled=True) if plugin.disabled else await execute(plugin, question)
                return await getattr(plugin, question.operation.lower())(question)
        except TimeoutError:
            return Answer("Error", f"no answer within {TIME_LIMIT:.0f} s")
        except Exception as error:  # plugin code is foreign: its errors must not end the controller
            return Answer("Error", str(error) or type(error).__name__)

    async def _find(self, name: str) -> StepPlugin | Configured:
        for row in await self._configured():
            self._known[row.name] = row
        for point in entry_points(group=ENTRY_POINTS, name=name):
            loaded: Any = point.load()
            self._known.setdefault(name, loaded() if isinstance(loaded, type) else loaded)
        if name not in self._known:
            where = f"ConfigMap {self._namespace}/{CONFIG} (stepPlugins)"
            raise LookupError(f"no step plugin {name!r}: neither {where} nor an entry point {ENTRY_POINTS} has it")
        return self._known[name]

    async def _configured(self) -> list[Configured]:
        from serinus.api.yaml import reader as go_yaml  # slow to import: only for plugins

        try:
            config_map = await self._client.get(CONFIG_MAPS, CONFIG, self._namespace)
        except NotFound:
            return []
        except ApiError as error:
            raise LookupError(f"ConfigMap {self._namespace}/{CONFIG} cannot be read: {error.message}") from error
        data: Json = config_map.get("data") or {}
        try:
            return msgspec.convert(go_yaml.load(data.get("stepPlugins") or "[]"), list[Configured])
        except (go_yaml.YamlError, msgspec.ValidationError) as error:
            raise LookupError(f"ConfigMap {self._namespace}/{CONFIG}, stepPlugins: {error}") from error


async def execute(row: Configured, question: Question) -> Answer:
    """One run of an executable: a line in, a line out. OSError or ValueError with the reason."""
    path = await asyncio.to_thread(_checked, row)
    process = await asyncio.create_subprocess_exec(
        str(path),
        *row.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_ANSWER,
    )
    try:
        printed, complained = await _exchanged(process, msgspec.json.encode(question) + b"\n", str(path))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    last = complained.decode(errors="replace").strip().rpartition("\n")[2]
    if process.returncode:
        raise ValueError(f"{path} exited with {process.returncode}: {last or 'it printed no reason'}")
    if too_deep(printed):
        raise ValueError(f"{path} printed an answer that cannot be read: {TOO_DEEP}")
    try:
        return msgspec.json.decode(printed, type=Answer)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} did not print one answer as JSON: {error}") from error


async def _exchanged(process: asyncio.subprocess.Process, asked: bytes, path: str) -> tuple[bytes, bytes]:
    """(its output, the end of its stderr). ValueError as soon as the output is too long."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None

    async def write(stdin: asyncio.StreamWriter) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(asked)
            await stdin.drain()
        stdin.close()

    async def read(stdout: asyncio.StreamReader) -> bytes:
        output = b""
        while piece := await stdout.read(LONGEST_ANSWER):
            output += piece
            if len(output) > LONGEST_ANSWER:
                raise ValueError(f"{path} printed more than {LONGEST_ANSWER} bytes")
        return output

    async def complaints(stderr: asyncio.StreamReader) -> bytes:
        stderr_end = b""
        while piece := await stderr.read(LONGEST_ANSWER):
            stderr_end = (stderr_end + piece)[-LONGEST_COMPLAINT:]
        return stderr_end

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(write(process.stdin))
            printed = group.create_task(read(process.stdout))
            complained = group.create_task(complaints(process.stderr))
    except* ValueError as errors:
        raise errors.exceptions[0] from None
    await process.wait()
    return printed.result(), complained.result()


def _checked(row: Configured) -> Path:
    parts = urlsplit(row.location)
    if parts.scheme != "file":
        raise ValueError(
            f"step plugin {row.name}: location {row.location!r}: only file:// is run; put the file in place"
        )
    path = Path(unquote(parts.path))
    if row.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
        raise ValueError(f"step plugin {row.name}: {path} is not the file whose sha256 is {row.sha256}")
    return path
