"""The runtime that the option `--runtime` names."""

from __future__ import annotations

from pathlib import Path

from serinus.kube.clock import Clock
from serinus.local.cannot_run import CannotRun
from serinus.local.node.containers.docker import ENGINES, DockerRuntime, NoEngine, check_engine
from serinus.local.node.containers.process import ProcessRuntime


async def runtime_of(name: str, directory: Path, clock: Clock) -> ProcessRuntime:
    """The runtime `process`, `docker` or `podman`. Raises CannotRun if its engine does not answer."""
    if name not in ENGINES:
        return ProcessRuntime(directory, clock)
    try:
        await check_engine(name)
    except NoEngine as error:
        raise CannotRun(str(error)) from error
    return DockerRuntime(directory, clock, name)
