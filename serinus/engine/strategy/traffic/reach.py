"""Which versions get requests."""

from __future__ import annotations

from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import selects
from serinus.routing.registry import by_hash


def stable_version(builder: PlanBuilder) -> ReplicaSet | None:
    """The ReplicaSet of the stable version, which may be the new one."""
    s = builder.context
    return s.new if s.new and hash_of(s.new) == builder.status.stable_rs else s.named(builder.status.stable_rs)


def reached(builder: PlanBuilder) -> set[str] | None:
    """Revisions that get requests after this pass; None if every pod gets its share, whatever its version.

    This reads the Services, not only the recorded weights. After a rollback during an update, the canary's weight is
    recorded for the wanted version. Its Service still selects the abandoned one until the weight is 0.
    """
    s, status = builder.context, builder.status
    canary_service, stable_service = service_names(s.canary, status) if s.canary else ("", "")
    if s.routing is None:
        leads = [selects(builder, name) for name in (canary_service, stable_service) if name]
        return set(leads) if stable_service and all(leads) else None
    weights = status.canary.weights
    if weights is None:  # before a weight was ever written, the stable version has everything
        sides = [(stable_service, status.stable_rs)]
    else:
        pairs = ((canary_service, weights.canary), (stable_service, weights.stable))
        sides = [(name, side.pod_template_hash) for name, side in pairs if side.weight]
    leads = [selects(builder, name) if name else recorded for name, recorded in sides]
    leads += [recorded for _, recorded in sides] if by_hash(s.spec) else []
    return set(leads) if all(leads) else None


def all_on_new(builder: PlanBuilder, leads: set[str] | None) -> bool:
    """Whether every request goes to the new version, by Services and weights. `leads`: the result of `reached`."""
    return not builder.context.replicas or leads is None or leads <= {hash_of(builder.context.new)}
