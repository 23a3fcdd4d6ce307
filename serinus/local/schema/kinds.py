"""The served kinds and the server's processing of their objects: prune, default, validate.

Schemas are compiled on the first use of a kind, so that the server starts fast.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Any

from serinus.api.resources import BUILT_IN, OLDER_VERSIONS, Resource
from serinus.api.schema import schemas as published
from serinus.local.schema import pruning as walks
from serinus.local.schema.checks import check, check_unchanged
from serinus.local.schema.defaulting.defaults import with_built_in_defaults
from serinus.local.schema.field_errors import FieldError
from serinus.local.schema.kind_rules.crd_rules import crd_errors
from serinus.local.schema.kind_rules.rules import broken_rules
from serinus.local.schema.nodes import OBJECT, STRING, Compiler, SchemaNode

__all__ = ["FieldError", "Kind", "Schemas"]

Json = dict[str, Any]


class Kind:
    """One served version of a kind."""

    __slots__ = ("columns", "custom", "has_status", "node", "resource", "scale", "schema")

    def __init__(
        self,
        resource: Resource,
        node: SchemaNode,
        schema: Json,
        *,
        custom: bool,
        columns: list[Json],
        scale: Json | None,
        has_status: bool,
    ) -> None:
        self.resource = resource
        self.node = node
        self.schema = schema
        """The published schema, or the one of the CustomResourceDefinition."""
        self.custom = custom
        self.columns = columns
        """additionalPrinterColumns; empty for built-in kinds."""
        self.scale = scale
        """`subresources.scale` of a definition, or the built-in equivalent; None without the subresource."""
        self.has_status = has_status

    def unknown_fields(self, obj: Json) -> list[str]:
        """`unknown field "spec.foo"` for each field that is not in the schema."""
        return [f'unknown field "{path}"' for path, _ in self._unknown(obj)]

    def unknown_with_nearest(self, obj: Json) -> list[tuple[str, str]]:
        """(path, the same text with the closest valid name) for each field that is not in the schema."""
        warnings: list[tuple[str, str]] = []
        for path, known in self._unknown(obj):
            near = get_close_matches(path.rpartition(".")[2], known, n=1)
            warnings.append((path, f'unknown field "{path}"' + (f" (did you mean {near[0]}?)" if near else "")))
        return warnings

    def _unknown(self, obj: Json) -> list[tuple[str, Collection[str]]]:
        fields: list[tuple[str, Collection[str]]] = []
        walks.unknown(self.node, obj, "", fields)
        return fields

    def prune(self, obj: Json) -> Json:
        """A copy without unknown fields."""
        return walks.prune(self.node, obj)

    def without_nulls(self, obj: Json) -> Json:
        """A copy without nulls that have no meaning."""
        return walks.without_nulls(self.node, obj)

    def default(self, obj: Json) -> Json:
        """The object with defaults. Malformed objects stay unchanged; `validate` reports them."""
        return (
            walks.default(self.node, obj) if self.custom else with_built_in_defaults(self.resource.group_resource, obj)
        )

    def validate(self, obj: Json, old: Json | None = None) -> list[FieldError]:
        """The object's errors (as written over `old`): by its schema first, then by its kind's own rules."""
        errors: list[FieldError] = []
        check(self.node, obj, "", errors)
        if errors and not self.custom:
            # Status fields that controllers have not observed are not required: Go writes the type's zero value.
            errors = [e for e in errors if not (e.type == "FieldValueRequired" and e.path.startswith("status."))]
        elif old is not None and self.node.fixes and not errors:
            check_unchanged(self.node, obj, old, "", errors)
        return errors or broken_rules(self.resource, obj, old, custom=self.custom)


_BUILT_IN = Compiler(lenient=True)
"""The nodes of the published definitions: they are never changed, so all servers of a process share them."""
_COMPILING = threading.RLock()
"""A node is in the compiler before its fields are."""


class Schemas:
    """All served kinds: built-in ones, and those of added definitions."""

    def __init__(self) -> None:
        self._makers: dict[tuple[str, str, str], Callable[[], Kind]] = {}
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._of_crd: dict[str, list[tuple[str, str, str]]] = {}
        self._documents: dict[str, Json] = {}
        self._v2_protobuf = b""
        for resource in (*BUILT_IN, *OLDER_VERSIONS):
            self._add(resource, lambda r=resource: self._built_in_kind(r))

    def kind(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind of a path, None if it is not served."""
        key = (group, version, plural)
        kind = self._kinds.get(key)
        if kind is None and key in self._makers:
            with _COMPILING:
                kind = self._kinds[key] = self._makers[key]()
        return kind

    def add_crd(self, crd: Json) -> list[FieldError]:
        """Serves a CustomResourceDefinition's kinds in place of its former version. With errors, nothing changes."""
        if errors := crd_errors(crd):
            return errors
        name: str = crd["metadata"]["name"]
        self.remove_crd(name)
        keys = self._of_crd[name] = []
        for version in crd["spec"]["versions"]:
            if version.get("served"):
                resource = resource_of(crd, version)
                self._add(resource, lambda r=resource, v=version: self._custom_kind(r, v))
                keys.append((resource.group, resource.version, resource.plural))
        return []

    def remove_crd(self, name: str) -> None:
        """Stops serving the kinds of a definition."""
        for key in self._of_crd.pop(name, ()):
            self._makers.pop(key, None)
            self._kinds.pop(key, None)
            self._resources.pop(key, None)
        self._forget_documents()

    def resources(self) -> list[Resource]:
        return list(self._resources.values())

    def openapi_v3_paths(self) -> Json:
        """The index of OpenAPI v3 documents: `/openapi/v3`."""
        from serinus.local.schema.publishing.openapi import index

        return self._document("", lambda: index(self))

    def openapi_v3(self, group_version: str) -> Json:
        """The OpenAPI v3 document of `api/v1`, `apis/apps/v1`, …; without paths if nothing is served there."""
        from serinus.local.schema.publishing.openapi import document

        return self._document(group_version, lambda: document(self, group_version))

    def openapi_v2(self) -> Json:
        """The OpenAPI v2 document of all kinds."""
        from serinus.local.schema.publishing.openapi import document_v2

        return self._document("v2", lambda: document_v2(self))

    def openapi_v2_protobuf(self) -> bytes:
        """The OpenAPI v2 document as one protobuf message."""
        from serinus.local.schema.publishing.openapi_protobuf import encode

        if not self._v2_protobuf:
            self._v2_protobuf = encode(self.openapi_v2())
        return self._v2_protobuf

    def _document(self, name: str, make: Callable[[], Json]) -> Json:
        if name not in self._documents:
            self._documents[name] = make()
        return self._documents[name]

    def _forget_documents(self) -> None:
        self._documents.clear()
        self._v2_protobuf = b""

    def _add(self, resource: Resource, maker: Callable[[], Kind]) -> None:
        key = (resource.group, resource.version, resource.plural)
        self._makers[key] = maker
        self._resources[key] = resource
        self._forget_documents()

    def _built_in_kind(self, resource: Resource) -> Kind:
        name = published.definition_name(resource.group, resource.version, resource.kind)
        assert name is not None, f"schemas.json.gz has no {resource.kind}: run tools/distil_schemas.py"
        scale: Json = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        return Kind(
            resource, _BUILT_IN.named(name), published.definitions()[name], custom=False, columns=[],
            scale=scale if "scale" in resource.subresources else None, has_status="status" in resource.subresources,
        )  # fmt: skip

    def _custom_kind(self, resource: Resource, version: Json) -> Kind:
        schema: Json = version["schema"]["openAPIV3Schema"]
        node = Compiler(lenient=False).node({"type": "object", **schema})
        node.fields["apiVersion"] = node.fields["kind"] = SchemaNode(STRING)
        node.fields["metadata"] = _BUILT_IN.named(published.META + "ObjectMeta")
        assert node.shape == OBJECT
        subresources: Json = version.get("subresources") or {}
        return Kind(
            resource, node, schema, custom=True, columns=version.get("additionalPrinterColumns") or [],
            scale=subresources.get("scale"), has_status="status" in subresources,
        )  # fmt: skip


def resource_of(crd: Json, version: Json) -> Resource:
    """The resource of one version of a definition."""
    spec, names = crd["spec"], crd["spec"]["names"]
    subresources = tuple(sorted(version.get("subresources") or {}, reverse=True))
    return Resource(
        spec["group"], version["name"], names["plural"], names["kind"], spec.get("scope", "Namespaced") == "Namespaced",
        names.get("singular") or names["kind"].lower(),
        tuple(names.get("shortNames") or ()), tuple(names.get("categories") or ()), subresources,
    )  # fmt: skip
