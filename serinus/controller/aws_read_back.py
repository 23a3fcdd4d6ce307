"""Reads from AWS which weights the load balancers of Ingresses have in force (`--aws-verify-target-group`).

A pass of a Rollout takes what is known, and never waits for AWS. Where that is old, or of an Ingress as it was before, AWS is asked beside
the passes, and the answer wakes the Rollout. A Rollout whose canary has no share asks nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from serinus.analysis.providers.trouble import ProviderError
from serinus.api.network import Ingress
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.controller.elbv2 import Elbv2, TargetGroup
from serinus.kube.clock import Clock
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue, work
from serinus.routing import registry
from serinus.routing.alb_verification import ASK_AGAIN
from serinus.routing.router import ReadBack

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Rollouts for which AWS is asked at once: its API has one limit for the whole account."""


@dataclass(frozen=True, slots=True)
class _Known:
    """`promoted`: whether the targets of the stable Service were asked for. `at`: seconds since the epoch."""

    back: ReadBack
    promoted: bool
    at: float


class AwsReadBack:
    """`wake`: a Rollout, when there is news for it."""

    def __init__(
        self, elbv2: Elbv2, cache: Cache, queue: WorkQueue[Key], clock: Clock, wake: Callable[[Key], None]
    ) -> None:
        self._elbv2, self._cache, self._queue, self._clock, self._wake = elbv2, cache, queue, clock, wake
        self._known: dict[Key, dict[str, _Known]] = {}
        self._arns: dict[str, str] = {}
        """DNS name -> ARN of a load balancer, which never changes."""

    async def run(self) -> None:
        """Runs until cancelled."""
        await work(self._queue, self._read, workers=AT_ONCE)

    def known(self, rollout: Rollout) -> dict[str, ReadBack]:
        """By name of the Ingress, what AWS said; it is asked again where that is old."""
        key = (rollout.metadata.namespace, rollout.metadata.name)
        weights = rollout.status.canary.weights
        if weights is None or not weights.canary.weight:
            self._known.pop(key, None)
            return {}
        if self._stale(key, rollout):
            self._queue.add(key)
        return {name: one.back for name, one in self._known.get(key, {}).items()}

    def _stale(self, key: Key, rollout: Rollout) -> bool:
        """Whether AWS is to be asked about an Ingress that is there."""
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
            return  # a pass asked while the answer was under way
        found: dict[str, _Known] = {}
        for name in _names(rollout):
            ingress = self._ingress(key[0], name)
            if ingress is not None:
                back = await self._of(rollout, ingress)
                found[name] = _Known(back, _promoted(rollout), self._clock.now())
        self._known[key] = found
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
    """Of the Ingresses that the Rollout leads by ALB."""
    used = (each for each in registry.routers_of(rollout.spec) if each.router.key == "alb")
    return tuple(ref.name for each in used for ref in each.references(rollout))


def _promoted(rollout: Rollout) -> bool:
    return bool(rollout.status.stable_rs) and rollout.status.stable_rs == rollout.status.current_pod_hash


def _service(group: TargetGroup, ingress: Ingress) -> str:
    """Of a target group of the Ingress; "" for one of another Ingress."""
    prefix = f"{ingress.metadata.namespace}/{ingress.metadata.name}-"
    return group.resource.removeprefix(prefix).rpartition(":")[0] if group.resource.startswith(prefix) else ""
