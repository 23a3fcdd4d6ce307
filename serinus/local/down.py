"""Stops an instance from another process: in order if it runs, else the processes that a crash left."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

from serinus.api.messages.counted import counted
from serinus.local import processes
from serinus.local.api_socket import stop_keeper
from serinus.local.cannot_run import CannotRun
from serinus.local.instance import Instance, hold, prepare, wait_released
from serinus.local.kubeconfig_entry import remove_entry
from serinus.local.traefik import gateway

EXIT_SECONDS = 5.0
PATIENCE = 60.0
"""Seconds that a running `up` has to stop its pods before it is killed. The pods' grace periods run in parallel."""


def stop(instance: Instance) -> str:
    """Stops the whole instance and returns a sentence that describes it. Raises CannotRun."""
    if not instance.is_ours:
        return f"Nothing runs in {instance.directory}."
    prepare(instance)  # before any file in the directory is trusted
    pid = instance.holder()
    if pid:
        started = processes.started_at(pid)
        processes.send(pid, started, signal.SIGTERM)
        if not wait_released(instance, PATIENCE):
            processes.send(pid, started, signal.SIGKILL)
            if not wait_released(instance, 5):
                raise CannotRun(f"process {pid} does not end; it may belong to another user.")
        wait_ended(pid, started)
    # Holds the lock, so that no new `up` starts meanwhile.
    lock = hold(instance)
    try:
        left = asyncio.run(stop_left_behind(instance))
        remove_entry(instance)
    finally:
        os.close(lock)
    with suppress(OSError):
        instance.write_state({**instance.state(), "ready": False})
    if pid:
        return f"Stopped. Its objects are kept in {instance.directory}."
    if left:
        return f"It did not run any more; stopped what it had left behind: {left}."
    return f"Nothing runs in {instance.directory}."


def wait_ended(pid: int, started: str) -> None:
    """Returns when the process has ended; it releases the directory shortly before."""
    end = time.monotonic() + EXIT_SECONDS
    while processes.is_running(pid, started) and time.monotonic() < end:
        time.sleep(0.01)


async def stop_left_behind(instance: Instance) -> str:
    """Stops the processes of a killed `up` and returns their description, "" if there were none."""
    there, pods, _ = await asyncio.gather(
        gateway.stop_left_behind(instance.gateway_dir), _stop_pods(instance), stop_keeper(instance)
    )
    left = [counted(pods, "pod")] if pods else []
    return " and ".join([*left, *(["the gateway"] if there else [])])


async def _stop_pods(instance: Instance) -> int:
    """The number of pods that still had processes."""
    from serinus.kube.clock import SystemClock
    from serinus.local.node.containers.process import ProcessRuntime
    from serinus.local.node.node import STOP_GRACE

    runtime = ProcessRuntime(instance.pods_dir, SystemClock())
    count = sum([bool(await runtime.still_running(pod)) for pod in await runtime.pods()])
    await runtime.stop_all(STOP_GRACE)
    return count
