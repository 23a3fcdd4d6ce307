"""Metric plugins: Python objects from entry points, and executables that the ConfigMap `argo-rollouts-config` names.

The Go plugins of Argo Rollouts use Go's serialisation (gob over net/rpc), which only Go programs can decode. They need
a wrapper program that uses JSON lines.
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.plugin_interface import ENTRY_POINTS, Answer, Question, measured
from serinus.analysis.providers.provider import MeasurementRequest, VerdictProvider, code_of
from serinus.analysis.verdicts import LONGEST_VALUE
from serinus.api.analysis import Measurement, Metric
from serinus.api.decoding.nesting import TOO_DEEP, too_deep
from serinus.api.meta import Json
from serinus.api.resources import CONFIG_MAPS
from serinus.api.values.times import format_deadline, format_time

CONFIG = "argo-rollouts-config"
KEY = "metricProviderPlugins"
TIME_LIMIT = 60.0
"""Most seconds of one call. Longer work returns Running and is resumed."""
LONGEST_ANSWER = 64 * 1024
"""Most bytes of a response: the run's status stores values and metadata."""
LEAST_PAUSE = 1.0

Operation = Literal["Run", "Resume", "Terminate", "GarbageCollect"]
_VERBS = {"Run": "run", "Resume": "resume", "Terminate": "terminate", "GarbageCollect": "garbage collect"}
_METHODS = {"Run": "run", "Resume": "resume", "Terminate": "terminate", "GarbageCollect": "garbage_collect"}


class ConfiguredProvider(msgspec.Struct, rename="camel"):
    """One row of `metricProviderPlugins`."""

    name: str
    location: str = ""
    sha256: str = ""
    args: list[str] = []


class PluginConfig(msgspec.Struct):
    """The names of plugins, each with its own configuration."""


class PluginProvider(VerdictProvider[PluginConfig]):
    type = "RPCPlugin"
    key = "plugin"
    config = PluginConfig
    request = "[your own program](plugin.md)"

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}
        """Python plugins by name: created once, so that they can keep connections."""

    async def run(self, call: MeasurementRequest) -> Measurement:
        before = Measurement(started_at=format_time(call.now))
        return await self._measured(call, "Run", before, new=True)

    async def resume(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        return await self._measured(call, "Resume", measurement)

    async def terminate(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        return await self._measured(call, "Terminate", measurement)

    async def clean_up(self, call: MeasurementRequest, keep: int) -> None:
        await self._answered(call, "GarbageCollect", None, keep)

    async def _measured(
        self, call: MeasurementRequest, operation: Operation, before: Measurement, *, new: bool = False
    ) -> Measurement:
        answer = await self._answered(call, operation, None if new else before, 0)
        if not answer.phase:
            raise ProviderError(f"failed to {_VERBS[operation]} via plugin: its answer has no phase")
        again = format_deadline(call.now + max(LEAST_PAUSE, answer.resume_after))
        told = msgspec.structs.replace(
            answer, message=call.foreign(answer.message), value=call.foreign(answer.value, LONGEST_VALUE)
        )
        return measured(told, before, format_time(call.now), again)

    async def _answered(
        self, call: MeasurementRequest, operation: Operation, before: Measurement | None, keep: int
    ) -> Answer:
        name, config = _named(call.metric)
        question = Question(
            operation,
            name,
            msgspec.to_builtins(call.metric),
            msgspec.to_builtins(call.run),
            config,
            None if before is None else msgspec.to_builtins(before),
            keep,
        )
        plugin = await self._find(name, call)
        try:
            async with asyncio.timeout(TIME_LIMIT):
                if isinstance(plugin, ConfiguredProvider):
                    return await execute(plugin, question)
                return await getattr(plugin, _METHODS[operation])(question)
        except TimeoutError as error:
            raise ProviderError(f"failed to {_VERBS[operation]} via plugin: no answer in {TIME_LIMIT:.0f} s") from error
        except Exception as error:  # a plugin is foreign code: its errors must not end the controller
            message = str(error) or type(error).__name__
            raise ProviderError(f"failed to {_VERBS[operation]} via plugin: ", message) from error

    async def _find(self, name: str, call: MeasurementRequest) -> Any:
        for row in await _configured(call):
            if row.name == name:
                return row
        for point in () if name in self._loaded else entry_points(group=ENTRY_POINTS, name=name):
            try:
                loaded: Any = point.load()
                self._loaded[name] = loaded() if isinstance(loaded, type) else loaded
            except Exception as error:
                raise ProviderError("failed to create plugin: ", f"{name}: {error}") from error
        if name in self._loaded:
            return self._loaded[name]
        where = f"ConfigMap {call.reach.namespace}/{CONFIG} ({KEY})"
        raise ProviderError(
            f"failed to create plugin: neither {where} nor an entry point {ENTRY_POINTS} has ", repr(name)
        )


def _named(metric: Metric) -> tuple[str, Json | None]:
    plugins: Any = metric.provider.get("plugin") or {}
    if not isinstance(plugins, dict) or len(plugins) != 1:
        raise ProviderError("failed to create plugin: provider.plugin names exactly one plugin, with its configuration")
    ((name, config),) = plugins.items()
    return str(name), config if isinstance(config, dict) else None


async def _configured(call: MeasurementRequest) -> list[ConfiguredProvider]:
    from serinus.api.yaml import reader as go_yaml  # imported only if a plugin is used

    try:
        config_map = await call.reach.cluster.get(CONFIG_MAPS, CONFIG, call.reach.namespace)
    except Exception as error:
        if code_of(error) == 404:
            return []
        raise ProviderError(f"failed to create plugin: ConfigMap {CONFIG} cannot be read: ", error) from error
    try:
        rows = go_yaml.load((config_map.get("data") or {}).get(KEY) or "[]")
        return msgspec.convert(rows, list[ConfiguredProvider])
    except (go_yaml.YamlError, msgspec.ValidationError) as error:
        raise ProviderError(f"failed to create plugin: ConfigMap {CONFIG}, {KEY}: ", error) from error


async def execute(row: ConfiguredProvider, question: Question) -> Answer:
    """Run an executable once: one line in, one line out. Raises OSError, or ValueError with the error."""
    path = await asyncio.to_thread(_checked, row)
    process = await asyncio.create_subprocess_exec(
        str(path),
        *row.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_ANSWER,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(question) + b"\n")
        process.stdin.close()
        try:
            line = await process.stdout.readline()
        except ValueError:
            raise ValueError(f"{path} printed a line of more than {LONGEST_ANSWER} bytes") from None
        if too_deep(line):
            raise ValueError(f"{path} printed an answer that cannot be read: {TOO_DEEP}")
        if line:
            return msgspec.json.decode(line, type=Answer)
        raise ValueError(f"{path} ended with {await process.wait()} and printed no answer")
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} did not print an answer as a line of JSON: {error}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _checked(row: ConfiguredProvider) -> Path:
    parts = urlsplit(row.location)
    if parts.scheme != "file":
        raise ValueError(f"{row.name}: location {row.location!r}: only file:// is run; put the file in place")
    path = Path(unquote(parts.path))
    if row.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != row.sha256:
        raise ValueError(f"{row.name}: {path} is not the file whose sha256 is {row.sha256}")
    return path


PROVIDER = PluginProvider()
