"""Leader election with a Lease that the holder renews.

The pure function `decide` chooses the next move from the observed lease. The loop calls the API and measures the time.
It never compares clocks of different machines, nor a wall clock with itself. A lease has expired when this process
*observed* no change for the lease's duration, measured with the loop's monotonic time. The times written into it are
informational. A leader counts from the time at which it sent its last successful renewal. It stops at `renew_deadline`,
before another process may take over. If the API is slow or unavailable, it stops and leads again later; that is not an
error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import msgspec

from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import LEASES
from serinus.kube.client import Client
from serinus.kube.clock import Clock, rfc3339_micro
from serinus.kube.errors import AlreadyExists, ApiError, Conflict, NotFound

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Failover takes at most `duration` + `retry`: by default 4.5 s."""

    name: str
    namespace: str
    identity: str
    duration: float = 4.0
    """Seconds, as a whole number: the API stores no fractions."""
    renew_deadline: float = 3.0
    """Seconds without a successful renewal after which the leader stops."""
    retry: float = 0.5
    """Seconds between attempts to take over."""
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    """Annotations of the Lease while this process holds it."""

    @property
    def renew_every(self) -> float:
        """Seconds between renewals. The interval is the longest that leaves two more attempts before the deadline."""
        return self.renew_deadline / 3

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew_deadline < self.duration:
            raise ValueError(
                f"lease duration {self.duration:g}s must be longer than renew deadline {self.renew_deadline:g}s, "
                f"and that longer than retry period {self.retry:g}s"
            )


class LeaseSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(msgspec.Struct, rename="camel"):
    metadata: ObjectMeta
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


Move = Literal["create", "take", "renew", "wait"]


def decide(lease: Lease | None, identity: str, unchanged: float) -> Move:
    """The next move for the observed lease. `unchanged`: seconds since this version was first observed."""
    if lease is None:
        return "create"
    holder = lease.spec.holder_identity or ""
    if holder == identity:
        return "renew"
    if not holder or unchanged >= (lease.spec.lease_duration_seconds or 0):
        return "take"
    return "wait"


class Election:
    """Leads or waits while `run` runs."""

    def __init__(self, client: Client, clock: Clock, rng: Random, settings: LeaseSettings) -> None:
        self._client, self._clock, self._rng, self._settings = client, clock, rng, settings
        self._lease: Lease | None = None
        self._observed = ("", 0.0)
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Runs `lead()` while this process leads; forever. On cancellation it releases the lease."""
        try:
            while True:
                sent = await self._acquire()
                log.info(
                    "leading", extra={"fields": {"lease": self._settings.name, "identity": self._settings.identity}}
                )
                self.leading = True
                async with _running(lead) as task:
                    await self._hold(sent, task)
                self.leading = False
                log.warning("no longer leading: the lease could not be renewed in time")
        finally:
            held, self.leading = self.leading, False
            if held:
                await asyncio.shield(self._release())

    async def _acquire(self) -> float:
        """The time at which the request was sent that made this process the leader."""
        while True:
            sent = _elapsed()
            try:
                async with asyncio.timeout(self._settings.renew_deadline):
                    if await self._attempt():
                        return sent
            except (ApiError, TimeoutError) as error:
                log.debug("the lease is not to be had now: %s", error)
            await asyncio.sleep(self._settings.retry * (0.8 + 0.2 * self._rng.random()))

    async def _hold(self, renewed: float, task: asyncio.Future[None]) -> None:
        """Renews until a renewal misses the deadline, or the task ends."""
        while not task.done():
            await asyncio.wait((task,), timeout=self._settings.renew_every)
            left = renewed + self._settings.renew_deadline - _elapsed()
            if left <= 0:
                return
            sent = _elapsed()
            try:
                async with asyncio.timeout(left):
                    if not await self._attempt():
                        return
            except (ApiError, TimeoutError) as error:
                log.debug("the lease was not renewed: %s", error)
            else:
                renewed = sent

    async def _attempt(self) -> bool:
        """Reads the lease if needed and tries to write it. Returns whether this process is the leader."""
        if not self.leading or self._lease is None:
            await self._look()
        for _ in range(2):
            move = decide(self._lease, self._settings.identity, _elapsed() - self._observed[1])
            if move == "wait":
                return False
            try:
                await self._write(move)
            except (Conflict, AlreadyExists, NotFound):
                # Another process was faster, or our own answer was lost. A lease with our identity is not enough,
                # because other processes count from the time of its write. So it is renewed once more.
                await self._look()
            else:
                return True
        return False

    async def _write(self, move: Move) -> None:
        held, space = self._lease, self._settings.namespace
        if held is None:
            self._note(await self._client.create(LEASES, self._body(0), space, type=Lease))
            return
        transitions = (held.spec.lease_transitions or 0) + (move == "take")
        body = self._body(transitions, held, fresh=move == "take")
        self._note(await self._client.update(LEASES, body, type=Lease))

    async def _look(self) -> None:
        try:
            self._note(await self._client.get(LEASES, self._settings.name, self._settings.namespace, type=Lease))
        except NotFound:
            self._lease = None

    def _note(self, lease: Lease) -> None:
        self._lease = lease
        if lease.metadata.resource_version != self._observed[0]:
            self._observed = (lease.metadata.resource_version, _elapsed())

    def _body(self, transitions: int, lease: Lease | None = None, *, fresh: bool = True) -> Json:
        now = rfc3339_micro(self._clock.now())
        metadata: Json = {"name": self._settings.name, "namespace": self._settings.namespace}
        if self._settings.annotations:
            metadata["annotations"] = dict(self._settings.annotations)
        if lease is not None:
            metadata["resourceVersion"] = lease.metadata.resource_version
        spec: Json = {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": max(1, round(self._settings.duration)),
            "acquireTime": now if fresh or lease is None else lease.spec.acquire_time or now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    async def _release(self) -> None:
        """Frees the lease for the next leader. A failure is harmless, because the lease expires."""
        if self._lease is None or self._lease.spec.holder_identity != self._settings.identity:
            return
        body = self._body(self._lease.spec.lease_transitions or 0, self._lease, fresh=False)
        body["spec"]["holderIdentity"] = ""
        body["spec"]["leaseDurationSeconds"] = 1
        try:
            async with asyncio.timeout(2.0):
                await self._client.update(LEASES, body)
        except (ApiError, TimeoutError) as error:
            log.debug("the lease was not given up: %s", error)


def _elapsed() -> float:
    """Monotonic seconds, independent of the wall clock."""
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def _running(lead: Callable[[], Awaitable[None]]) -> AsyncGenerator[asyncio.Future[None]]:
    task = asyncio.ensure_future(lead())
    try:
        yield task
    finally:
        task.cancel()
        failed = (await asyncio.gather(task, return_exceptions=True))[0]
        if isinstance(failed, Exception):
            raise failed
