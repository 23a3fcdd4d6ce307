"""One leader among many, by a Lease that its holder keeps renewing.

What to do is a pure function (`decide`) of what is seen; the loop asks it, calls the API and keeps the time. Clocks of
different machines are never compared, nor one with itself after it was set: a lease is over when it was *seen* unchanged for
its duration, by a time that nobody sets (the loop's); what is written as a time is for people. A leader counts
from the moment at which it sent the renewal that succeeded, and steps down at `renew_deadline`, before anybody else may
take over. When the API is slow or away, it steps down, and leads again later: that is no error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
    """Who takes over after a crash waits `duration` and at most one `retry` more: by default 4.5 s."""

    name: str
    namespace: str
    identity: str
    duration: float = 4.0
    """Seconds; whole ones, as the API stores no others."""
    renew_deadline: float = 3.0
    """Seconds without a successful renewal after which the leader stops."""
    retry: float = 0.5
    """Seconds between attempts to take over."""

    @property
    def renew_every(self) -> float:
        """Seconds between renewals: each is a write, so as few as leave two more attempts before the deadline."""
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
    """What to do about the lease as it is. `unchanged`: seconds since it was first seen as it is now."""
    if lease is None:
        return "create"
    holder = lease.spec.holder_identity or ""
    if holder == identity:
        return "renew"
    if not holder or unchanged >= (lease.spec.lease_duration_seconds or 0):
        return "take"
    return "wait"


class Election:
    """Leads or waits, for as long as `run` runs."""

    def __init__(self, client: Client, clock: Clock, rng: Random, settings: LeaseSettings) -> None:
        self._client, self._clock, self._rng, self._settings = client, clock, rng, settings
        self._lease: Lease | None = None
        self._seen = ("", 0.0)
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Runs `lead()` while this is the leader, cancels it when that ends; forever. Gives the lease up at the end."""
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
        """Returns when the request was sent that made this the leader."""
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
        """Renews until it could not be done in time, or the work ended by itself."""
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
        """Looks where it has to, and writes at most once with success. Whether this is the leader now."""
        if not self.leading or self._lease is None:
            await self._look()
        for _ in range(2):
            move = decide(self._lease, self._settings.identity, _elapsed() - self._seen[1])
            if move == "wait":
                return False
            try:
                await self._write(move)
            except (Conflict, AlreadyExists, NotFound):
                # Somebody else was faster, or an answer of ours was lost. A lease that says it is ours is not enough:
                # others count from when it was written. So it is renewed once more.
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
        if lease.metadata.resource_version != self._seen[0]:
            self._seen = (lease.metadata.resource_version, _elapsed())

    def _body(self, transitions: int, lease: Lease | None = None, *, fresh: bool = True) -> Json:
        now = rfc3339_micro(self._clock.now())
        metadata: Json = {"name": self._settings.name, "namespace": self._settings.namespace}
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
        """So that the next leader need not wait. Failing is harmless: the lease ends by itself."""
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
    """Seconds since some moment; whatever is done to the wall clock, it goes on as before."""
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
