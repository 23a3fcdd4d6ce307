"""Kinds of other projects: discovery finds the version that an API server serves.

The key of such a kind, `Kind.group`, is used in place of a built-in kind's name (`Action.kind`, references, the cache).
Two projects may use one name, as Istio and App Mesh do with VirtualService.

An object is named `NAME` in the Rollout's namespace and `NAMESPACE/NAME` elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from serinus.api.records import record
from serinus.api.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any


@record(frozen=True)
class ServedKind:
    """`versions`: those that Serinus can read and write; the first that the API server serves is used."""

    group: str
    kind: str
    plural: str
    versions: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.kind}.{self.group}"

    @property
    def group_resource(self) -> str:
        """`virtualservices.networking.istio.io`: the name that error messages use."""
        return f"{self.plural}.{self.group}"

    def resource(self, version: str) -> Resource:
        return Resource(self.group, version, self.plural, self.kind, singular=self.kind.lower())


class Discovered(NamedTuple):
    """`resource`: the kind in its first known version; None if the API server serves none of these.

    `others`: then the versions in which it serves the kind, and which Serinus does not know.
    """

    resource: Resource | None
    others: tuple[str, ...] = ()


def discovery(kind: ServedKind) -> Generator[str, Any, Discovered]:
    """Yields the API paths to GET, takes each answer (None for 404), and returns the versions of the kind."""
    group: Any = yield f"/apis/{kind.group}"
    served = [str(row.get("version")) for row in (group or {}).get("versions") or []]
    for version in kind.versions:
        if version in served and (yield from _has(kind, version)):
            return Discovered(kind.resource(version))
    others: list[str] = []
    for version in served:
        if version not in kind.versions and (yield from _has(kind, version)):
            others.append(version)
    return Discovered(None, tuple(others))


def _has(kind: ServedKind, version: str) -> Generator[str, Any, bool]:
    """Whether the API server serves the kind in this version of its group."""
    listed: Any = yield f"/apis/{kind.group}/{version}"
    return any(row.get("name") == kind.plural for row in (listed or {}).get("resources") or [])


def unserved(kind: ServedKind, others: tuple[str, ...] = ()) -> str:
    """The sentence for a kind that is not served in a known version. `others`: the versions in which it is served."""
    if not others:
        return f"the API server does not serve {kind.group_resource}: install the definition of {kind.kind}"
    known = " or ".join(kind.versions)
    return (
        f"the API server serves {kind.group_resource} only in {', '.join(others)}, and Serinus needs {known}: "
        f"install a definition of {kind.kind} that serves it"
    )


def kind_name(key: str) -> str:
    """`VirtualService` of `VirtualService.networking.istio.io`."""
    return key.partition(".")[0]


def located(name: str, namespace: str) -> tuple[str, str]:
    """(namespace, name) of an object's name as a Rollout in `namespace` refers to it."""
    space, slash, own = name.rpartition("/")
    return (space, own) if slash else (namespace, name)


def name_from(namespace: str, name: str, own: str) -> str:
    """How a Rollout in the namespace `own` refers to the object."""
    return name if namespace in ("", own) else f"{namespace}/{name}"
