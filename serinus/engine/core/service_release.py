"""Services that no Rollout manages any more: the annotation and the selector's hash are removed.

Source: traffic routing, section 10 ("Service selectors"). A spec that is not usable changes nothing, so a Service stays
as it is until the edit that drops it is valid.
"""

from __future__ import annotations

from serinus.api.meta import Json
from serinus.api.names import HASH, MANAGED_BY
from serinus.api.network import Service
from serinus.api.rollout import Rollout
from serinus.engine.core.plan import Action


def named_services(rollout: Rollout) -> set[str]:
    """All Services that a Rollout's strategy names."""
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    names: set[str] = set()
    if canary:
        names |= {canary.stable_service, canary.canary_service}
        if canary.ping_pong:
            names |= {canary.ping_pong.ping_service, canary.ping_pong.pong_service}
    if blue_green:
        names |= {blue_green.active_service, blue_green.preview_service}
    return names - {""}


def release(service: Service, rollout: Rollout | None) -> Action | None:
    """The patch that releases a Service; None while its Rollout (None: deleted) still names it.

    `rollout` is the one whose name the Service carries.
    """
    meta = service.metadata
    if MANAGED_BY not in meta.annotations or meta.deletion_timestamp:
        return None
    if rollout is not None and (meta.name in named_services(rollout) or not is_settled(rollout)):
        return None
    patch: Json = {"metadata": {"annotations": {MANAGED_BY: None}}}
    if HASH in service.spec.selector:
        patch["spec"] = {"selector": {HASH: None}}
    owner = meta.annotations[MANAGED_BY]
    why = f"Rollout {owner} is gone" if rollout is None else f"Rollout {owner} no longer names it"
    return Action("patch", "Service", meta.name, why, patch, uid=meta.uid, resource_version=meta.resource_version)


def is_settled(rollout: Rollout) -> bool:
    """Whether the controller has observed its spec and found it valid."""
    observed = rollout.status.observed_generation == str(rollout.metadata.generation)
    return observed and not any(c.type == "InvalidSpec" for c in rollout.status.conditions)
