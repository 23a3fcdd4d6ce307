"""The resources that are served now, and their paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serinus.api.resources import Resource

if TYPE_CHECKING:
    from serinus.local.schema.kinds import FieldError, Kind, Schemas

Json = dict[str, Any]

REVIEWS: tuple[Resource, ...] = tuple(
    Resource(group, "v1", kind.lower() + "s", kind, namespaced, kind.lower())
    for group, kind, namespaced in (
        ("authorization.k8s.io", "SelfSubjectAccessReview", False),
        ("authorization.k8s.io", "SelfSubjectRulesReview", False),
        ("authorization.k8s.io", "SubjectAccessReview", False),
        ("authorization.k8s.io", "LocalSubjectAccessReview", True),
        ("authentication.k8s.io", "TokenReview", False),
        ("authentication.k8s.io", "SelfSubjectReview", False),
    )
)
"""Reviews, not objects: they can only be created, and the result is not stored."""

_STABILITY = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_rank(version: str) -> tuple[int, int, int]:
    """Sort key, best first: v2, v1, v1beta2, v1beta1, v1alpha1, then names that are not Kubernetes versions."""
    match = _STABILITY.fullmatch(version)
    if not match:
        return (3, 0, 0)
    stability = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stability, -int(match[1]), -int(match[3] or 0))


@dataclass(slots=True)
class Registry:
    """The served kinds: a thin cache over the schemas."""

    schemas: Schemas
    _groups: dict[str, dict[str, list[Resource]]] | None = None
    _kinds: dict[tuple[str, str, str], Kind] | None = None

    def kind(self, group: str, version: str, plural: str) -> Kind | None:
        if self._kinds is None:
            self._kinds = {}
        key = (group, version, plural)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self.schemas.kind(group, version, plural)
            if kind is not None:
                self._kinds[key] = kind
        return kind

    def review(self, group: str, version: str, plural: str) -> Resource | None:
        return next((r for r in REVIEWS if (r.group, r.version, r.plural) == (group, version, plural)), None)

    def groups(self) -> Mapping[str, Mapping[str, list[Resource]]]:
        """group -> version -> resources. The core group and the best versions come first."""
        if self._groups is None:
            groups: dict[str, dict[str, list[Resource]]] = {}
            for resource in (*self.schemas.resources(), *REVIEWS):
                groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
            self._groups = {
                group: {
                    v: sorted(groups[group][v], key=lambda r: r.plural) for v in sorted(groups[group], key=version_rank)
                }
                for group in sorted(groups)
            }
        return self._groups

    def versions(self, resource: Resource) -> list[Resource]:
        """The same resource in all its served versions."""
        return [
            r for rows in self.groups().get(resource.group, {}).values() for r in rows if r.plural == resource.plural
        ]

    def several(self, resource: Resource) -> bool:
        """Whether stored objects may have a version other than the requested one."""
        return len(self.groups().get(resource.group, {})) > 1 and len(self.versions(resource)) > 1

    def add_crd(self, crd: Json) -> list[FieldError]:
        flaws = self.schemas.add_crd(crd)
        self._groups = self._kinds = None
        return flaws

    def remove_crd(self, name: str) -> None:
        self.schemas.remove_crd(name)
        self._groups = self._kinds = None
