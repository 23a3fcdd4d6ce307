"""The findings of `serinus upgrade --check`, and their text. It only lists and watches."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import msgspec

from serinus import __version__
from serinus.api.messages.counted import counted
from serinus.api.messages.visible import visible_json
from serinus.api.resources import CRDS, LEASES, ROLLOUTS
from serinus.cli.cluster.crd_check import lacking
from serinus.cli.cluster.leaders import Leader, leaders
from serinus.cli.framework.errors import Problem
from serinus.controller.cache import Cache
from serinus.controller.snapshot import snapshot
from serinus.engine.explain.upgrade_check import Takeover, TakeoverWrite, takeover
from serinus.install.installation import LEASE
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Forbidden

PATIENCE = 60.0
"""The most seconds for all lists."""
LOOK = 0.02
"""Seconds between checks whether all lists are complete."""
SHOWN = 5
"""The most missing fields of a definition in the text; -o json has all."""


class RunningController(msgspec.Struct, frozen=True):
    """A running controller. `rival`: it manages the same Rollouts, and replacing ours would not stop it."""

    namespace: str
    lease: str
    identity: str
    seconds: float
    """Since it last renewed its Lease."""
    rival: bool


class Report(msgspec.Struct, frozen=True):
    """`lacking`: name of a definition -> paths of its missing fields, "*" if the definition does not exist.
    `unknown`: checks that were not possible, in words."""

    version: str
    safe: bool
    rollouts: tuple[Takeover, ...]
    lacking: dict[str, list[str]]
    controllers: tuple[RunningController, ...]
    unknown: tuple[str, ...] = ()


async def examined(client: Client, clock: Clock, home: str, scope: str, instance_id: str) -> Report:
    """`home`: namespace of the new controller. `scope`: the namespace whose Rollouts it manages, "" for all.

    Problem if the Rollouts cannot be read.
    """
    unknown: list[str] = []
    try:
        missing = lacking((await client.list(CRDS)).items)
    except Forbidden as error:
        missing = {}
        unknown.append(f"whether the definitions are new enough: {error.message}")
    except ApiError as error:
        raise Problem(
            error.message or str(error), "Choose another API server with --context or --kubeconfig."
        ) from None
    holders = await _holders(client, clock.now(), home, scope, instance_id, unknown)
    takeovers: list[Takeover] = []
    if "*" not in missing.get(ROLLOUTS.group_resource, ()):
        takeovers = await _takeovers(client, clock, scope, instance_id)
    serving = any(one.serving or one.lost for one in takeovers)
    safe = not (serving or missing or unknown or any(holder.rival for holder in holders))
    return Report(__version__, safe, tuple(takeovers), missing, tuple(holders), tuple(unknown))


async def _holders(
    client: Client, now: float, home: str, scope: str, instance_id: str, unknown: list[str]
) -> list[RunningController]:
    try:
        leases = (await client.list(LEASES)).items
    except Forbidden as error:
        try:
            leases = (await client.list(LEASES, home)).items
        except ApiError:
            unknown.append(f"which controllers there are: {error.message}")
            return []
    own = f"{LEASE}-{instance_id}" if instance_id else LEASE
    return [_holder(leader, own, home, scope) for leader in leaders(leases, now)]


def _holder(leader: Leader, own: str, home: str, scope: str) -> RunningController:
    # A controller of a single namespace has its Lease there, so it is no rival in another namespace. The one of
    # `serinus up` ends with the process that the new version replaces.
    rival = leader.lease == own and leader.namespace != home and not scope and not leader.in_process
    return RunningController(leader.namespace, leader.lease, leader.identity, leader.seconds, rival)


async def _takeovers(client: Client, clock: Clock, scope: str, instance_id: str) -> list[Takeover]:
    """The plans of the controller's own cache and planner for the current objects."""
    cache = Cache(client, clock, Random(0), lambda _: None, namespace=scope, instance_id=instance_id)
    running = asyncio.create_task(cache.run())
    try:
        try:
            async with asyncio.timeout(PATIENCE):
                await _listed(cache)
        except TimeoutError:
            waiting = [i.resource.group_resource for i in cache.informers() if not i.synced.is_set()]
            raise Problem(f"{', '.join(waiting)}: not listed within {PATIENCE:.0f} s") from None
        snapshots = [snapshot(cache, key, clock.now()) for key in sorted(cache.rollouts.items)]
        return [takeover(one) for one in snapshots if one is not None]
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _listed(cache: Cache) -> None:
    """Wait until all dependencies of the Rollouts are listed. Problem for a resource that may not be read."""
    while True:
        for informer in cache.informers():
            if informer.error_code in (401, 403, 404):
                hint = "The check needs to read what the controller reads: the rules of `serinus install`."
                raise Problem(informer.error, hint)
        listed = all(informer.synced.is_set() for informer in cache.informers())
        if listed and not any(cache.missing(rollout) for rollout in cache.rollouts.items.values()):
            return
        await asyncio.sleep(LOOK)


def as_json(report: Report) -> str:
    return visible_json(f"{msgspec.json.format(msgspec.json.encode(report), indent=2).decode()}\n")


def as_text(report: Report, flags: str = "") -> str:
    """`flags`: for the command that installs the definitions."""
    lines = [*_definitions(report, flags), *_controllers(report)]
    lines += [f"Not known: {what}" for what in report.unknown]
    for one in report.rollouts:
        lines.append("")
        lines += _told(one)
    lines += ["", _sum(report)]
    return "\n".join(lines) + "\n"


def _definitions(report: Report, flags: str) -> list[str]:
    if not report.lacking:
        return [] if report.unknown else [f"Definitions: have all that version {report.version} knows"]
    lines: list[str] = []
    for name, fields in report.lacking.items():
        more = f" and {len(fields) - SHOWN} more" if len(fields) > SHOWN else ""
        lacks = "is not there" if fields == ["*"] else f"lacks {', '.join(fields[:SHOWN])}{more}"
        lines.append(f"Definitions: {name} {lacks}")
    fix = f"serinus install --only-crds | kubectl apply{flags} --server-side --force-conflicts -f -"
    return [*lines, f"             first: {fix}"]


def _controllers(report: Report) -> list[str]:
    if not report.controllers:
        return ["Controller:  no Lease of one is held here"]
    lines: list[str] = []
    for holder in report.controllers:
        leader = Leader(holder.namespace, holder.lease, holder.identity, holder.seconds)
        lines.append(f"Controller:  {leader.told()}")
        if holder.rival:
            lines.append("             stop it first: both would act on the same Rollouts")
    return lines


def _told(one: Takeover) -> list[str]:
    what = ", ".join(one.changes) if one.changes else "nothing"
    lines = [f"{one.namespace}/{one.name}: {what}"]
    if one.refused:
        lines.append(f"  would {'no longer' if one.lost else 'not'} be led: {one.refused}")
    return lines + [f"  {_write(write)}" for write in one.writes]


def _write(write: TakeoverWrite) -> str:
    return f"{write.verb} {write.kind} {write.name}" + (f": {write.because}" if write.because else "")


def _sum(report: Report) -> str:
    counts = Counter(one.serving for one in report.rollouts)
    number = len(report.rollouts)
    text = f"{counted(number, 'Rollout')}: pods or traffic of {counts[True]} would change"
    return text if report.safe or counts[True] else f"{text}, but see above"
