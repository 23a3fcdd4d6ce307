"""Calls step plugins: Python objects from entry points, and executables that the ConfigMap `argo-rollouts-config` names.

Whatever a plugin does, its answer is an `Answer`: what goes wrong is one of the phase Error, with the reason.
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from serinus.api.meta import Json
from serinus.api.nesting import TOO_DEEP, too_deep
from serinus.api.resources import CONFIG_MAPS
from serinus.api.step_plugin import ENTRY_POINTS, Answer, Question, StepPlugin
from serinus.kube.client import Client
from serinus.kube.errors import ApiError, NotFound

CONFIG = "argo-rollouts-config"
TIME_LIMIT = 60.0
"""Seconds for one call; longer work says Running and is asked again."""
LONGEST_ANSWER = 64 * 1024
"""Bytes: the answer's notes are kept in the Rollout's status."""


class Configured(msgspec.Struct, rename="camel"):
    """One row of `stepPlugins`."""

    name: str
    location: str = ""
    sha256: str = ""
    args: list[str] = []
    disabled: bool = False


class StepPlugins:
    """Finds plugins by name. `namespace`: the one whose ConfigMap is read, each time a name is not known yet."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._known: dict[str, StepPlugin | Configured] = {}

    async def call(self, question: Question) -> Answer:
        try:
            found = self._known.get(question.name) or await self._find(question.name)
            async with asyncio.timeout(TIME_LIMIT):
                if isinstance(found, Configured):
                    return Answer("Successful", disabled=True) if found.disabled else await execute(found, question)
                return await getattr(found, question.operation.lower())(question)
        except TimeoutError:
            return Answer("Error", f"no answer within {TIME_LIMIT:.0f} s")
        except Exception as error:  # a plugin is other people's code: it must not take the controller along
            return Answer("Error", str(error) or type(error).__name__)

    async def _find(self, name: str) -> StepPlugin | Configured:
        for row in await self._configured():
            self._known[row.name] = row
        for point in entry_points(group=ENTRY_POINTS, name=name):
            made: Any = point.load()
            self._known.setdefault(name, made() if isinstance(made, type) else made)
        if name not in self._known:
            where = f"ConfigMap {self._namespace}/{CONFIG} (stepPlugins)"
            raise LookupError(f"no step plugin {name!r}: neither {where} nor an entry point {ENTRY_POINTS} has it")
        return self._known[name]

    async def _configured(self) -> list[Configured]:
        from serinus.api import go_yaml  # only where a plugin is used

        try:
            found = await self._client.get(CONFIG_MAPS, CONFIG, self._namespace)
        except NotFound:
            return []
        except ApiError as error:
            raise LookupError(f"ConfigMap {self._namespace}/{CONFIG} cannot be read: {error.message}") from error
        data: Json = found.get("data") or {}
        try:
            return msgspec.convert(go_yaml.load(data.get("stepPlugins") or "[]"), list[Configured])
        except (go_yaml.YamlError, msgspec.ValidationError) as error:
            raise LookupError(f"ConfigMap {self._namespace}/{CONFIG}, stepPlugins: {error}") from error


async def execute(row: Configured, question: Question) -> Answer:
    """One run of an executable: a line in, a line out. Raises OSError, ValueError with what is wrong."""
    path = _checked(row)
    process = await asyncio.create_subprocess_exec(
        str(path),
        *row.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_ANSWER,
    )
    try:
        printed, complained = await process.communicate(msgspec.json.encode(question) + b"\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    last = complained.decode(errors="replace").strip().rpartition("\n")[2]
    if process.returncode:
        raise ValueError(f"{path} exited with {process.returncode}: {last or 'it printed no reason'}")
    if len(printed) > LONGEST_ANSWER:
        raise ValueError(f"{path} printed {len(printed)} bytes, more than {LONGEST_ANSWER}")
    if too_deep(printed):
        raise ValueError(f"{path} printed an answer that cannot be read: {TOO_DEEP}")
    try:
        return msgspec.json.decode(printed, type=Answer)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} did not print one answer as JSON: {error}") from error


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
