"""ConfigMaps with a configuration of notifications that no controller reads: for `doctor` and `notifications lint`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from serinus.api.names import ALL_NAMESPACES, NOTIFICATION_CONFIG_MAP, OWN_NAMESPACE
from serinus.api.resources import CONFIG_MAPS, LEASES
from serinus.cli.cluster.leaders import Leader, leaders
from serinus.cli.cluster.session import Session

FLAG = "--self-service-notification-enabled"
_GROUPS = ("trigger.", "template.", "service.")


class Unread(NamedTuple):
    name: str
    problem: str
    remedy: str


def unread(session: Session, controller: str, now: float) -> Iterator[Unread]:
    """Those of the current namespace and of the controller's. `now`: seconds since the epoch.

    A namespace whose ConfigMaps may not be read is skipped.
    """
    leading = leaders(_items(session, LEASES), now)
    homes = [*dict.fromkeys(leader.namespace for leader in leading)] or [controller]
    for space in dict.fromkeys((*homes, session.namespace)):
        for config_map in _items(session, CONFIG_MAPS, space):
            name, data = str((config_map.get("metadata") or {}).get("name") or ""), config_map.get("data") or {}
            what = f"ConfigMap {name} in namespace {space}"
            if name != NOTIFICATION_CONFIG_MAP:
                if _looks_meant(name, data):
                    yield Unread(what, "it is not read", f"Name it {NOTIFICATION_CONFIG_MAP}.")
            elif space not in homes:
                yield from _elsewhere(what, homes[0], leading)


def _elsewhere(what: str, home: str, leading: list[Leader]) -> Iterator[Unread]:
    """A ConfigMap outside the namespaces of the controllers."""
    read = {leader.notifications or ALL_NAMESPACES * leader.in_process for leader in leading}
    if ALL_NAMESPACES in read:
        return
    only = f"the controller reads that of namespace {home} only"
    if read == {OWN_NAMESPACE}:
        yield Unread(what, f"it is not read: {only}", f"Move its keys there, or start the controller with {FLAG}.")
    else:
        yield Unread(what, f"without {FLAG}, {only}", f"Move its keys there, or start the controller with {FLAG}.")


def _looks_meant(name: str, data: Mapping[str, Any]) -> bool:
    return (
        name.startswith("argo-rollouts")
        and "notification" in name
        and any(str(key).startswith(_GROUPS) for key in data)
    )


def _items(session: Session, resource: Any, space: str = "") -> list[dict[str, Any]]:
    from serinus.kube.errors import ApiError

    try:
        return session.client.list(resource, space).get("items") or []
    except ApiError:
        return []
