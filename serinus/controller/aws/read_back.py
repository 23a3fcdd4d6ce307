"""Reads from AWS which weights are in force on the load balancers of Ingresses (`--aws-verify-target-group`).

A pass of a Rollout uses the last known answer and never waits for AWS. If that answer is old, or is about an earlier
version of the Ingress, AWS is read outside the pass. The new answer wakes the Rollout. A Rollout with canary weight 0
causes no reads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from serinus.analysis.providers.errors import ProviderError
from serinus.api.network import Ingress
from serinus.api.rollout import Rollout
from serinus.controller.aws.elbv2 import Elbv2, TargetGroup
from serinus.controller.cache import Cache
from serinus.kube.clock import Clock
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue, work
from serinus.routing import registry
from serinus.routing.alb_verification import ASK_AGAIN
from serinus.routing.router import ReadBack

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Rollouts for which AWS is read concurrently. The AWS API has one rate limit for the whole account."""


@dataclass(frozen=True, slots=True)
class _Known:
    """`promoted`: whether the targets of the stable Service were read. `at`: seconds since the epoch."""

    back: ReadBack
    promoted: bool
    at: float


class AwsReadBack:
    """`wake`: called with a Rollout's key when a new answer is available."""

    def __init__(
        self, elbv2: Elbv2, cache: Cache, queue: WorkQueue[Key], clock: Clock, wake: Callable[[Key], None]
    ) -> None:
        self._elbv2, self._cache, self._queue, self._clock, self._wake = elbv2, cache, queue, clock, wake
        self._known: dict[Key, dict[str, _Known]] = {}
        self._arns: dict[str, str] = {}
        """DNS name -> ARN of a load balancer. It never changes."""

    async def run(self) -> None:
        """Runs until cancelled."""
        await work(self._queue, self._read, workers=AT_ONCE)

    def known(self, rollout: Rollout) -> dict[str, ReadBack]:
        """Name of the Ingress -> the last answer of AWS. An old answer is read again."""
        key = (rollout.metadata.namespace, rollout.metadata.name)
        weights = rollout.status.canary.weights
        if weights is None or not weights.canary.weight:
            self._known.pop(key, None)
            return {}
        if self._stale(key, rollout):
            self._queue.add(key)
        return {name: one.back for name, one in self._known.get(key, {}).items()}

    def _stale(self, key: Key, rollout: Rollout) -> bool:
        """Whether AWS must be read for an existing Ingress."""
        there, now = self._known.get(key, {}), self._clock.now()
        for name in _names(rollout):
            one, ingress = there.get(name), self._ingress(key[0], name)
            if ingress is None:
                continue
            if one is None or one.promoted != _promoted(rollout) or not 0 <= now - one.at < ASK_AGAIN:
                return True
            if one.back.version != ingress.metadata.resource_version:
                return True
        return False

    def _ingress(self, namespace: str, name: str) -> Ingress | None:
        informer = self._cache.others.get("Ingress")
        return informer.items.get((namespace, name)) if informer else None

    async def _read(self, key: Key) -> None:
        rollout = self._cache.rollouts.items.get(key)
        if rollout is None:
            self._known.pop(key, None)
            return
        if not self._stale(key, rollout):
            return  # a pass queued this key during the last read
        known: dict[str, _Known] = {}
        for name in _names(rollout):
            ingress = self._ingress(key[0], name)
            if ingress is not None:
                back = await self._of(rollout, ingress)
                known[name] = _Known(back, _promoted(rollout), self._clock.now())
        self._known[key] = known
        self._wake(key)

    async def _of(self, rollout: Rollout, ingress: Ingress) -> ReadBack:
        name, version = ingress.metadata.name, ingress.metadata.resource_version
        hostnames = ingress.hostnames()
        if not hostnames:
            return ReadBack(
                version, error=f"Ingress {name} has no load balancer yet: status.loadBalancer has no hostname"
            )
        forwards: list[dict[str, int]] = []
        targets: dict[str, tuple[str, ...]] = {}
        try:
            for hostname in hostnames:
                arn = await self._arn(hostname)
                groups = {g.arn: g for g in await self._elbv2.target_groups(hostname, arn)}
                services = {arn: service for arn, g in groups.items() if (service := _service(g, ingress))}
                for rule in await self._elbv2.forwards(hostname, arn):
                    forwards.append({services[of]: weight for of, weight in rule.items() if of in services})
                if _promoted(rollout):
                    for of, service in services.items():
                        if groups[of].target_type == "ip":
                            targets[service] = await self._elbv2.targets(hostname, groups[of])
        except ProviderError as error:
            log.warning("AWS is not read: %s", error.own, extra={"fields": {"namespace": rollout.metadata.namespace}})
            return ReadBack(version, error=f"AWS does not say which weights Ingress {name} has: {error.own}")
        return ReadBack(version, tuple(forwards), targets if _promoted(rollout) else None)

    async def _arn(self, hostname: str) -> str:
        if hostname not in self._arns:
            arn = await self._elbv2.load_balancer(hostname)
            if arn is None:
                raise ProviderError(f"AWS has no load balancer {hostname} in this account and region")
            self._arns[hostname] = arn
        return self._arns[hostname]


def _names(rollout: Rollout) -> tuple[str, ...]:
    """Names of the Ingresses that the Rollout manages with the ALB router."""
    used = (each for each in registry.routers_of(rollout.spec) if each.router.key == "alb")
    return tuple(ref.name for each in used for ref in each.references(rollout))


def _promoted(rollout: Rollout) -> bool:
    return bool(rollout.status.stable_rs) and rollout.status.stable_rs == rollout.status.current_pod_hash


def _service(group: TargetGroup, ingress: Ingress) -> str:
    """The Service of a target group of the Ingress; "" for a target group of another Ingress."""
    prefix = f"{ingress.metadata.namespace}/{ingress.metadata.name}-"
    return group.resource.removeprefix(prefix).rpartition(":")[0] if group.resource.startswith(prefix) else ""
