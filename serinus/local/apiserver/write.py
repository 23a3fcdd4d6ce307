"""create, update and patch: decided in one go, without waiting in between, so that no two writers see the same version.

Every write ends in `Writer.put`: no change, no new version; `dryRun=All` goes through everything but the store.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.api.resources import Resource
from serinus.kube.clock import Clock, rfc3339
from serinus.local.apiserver import builtin, metadata
from serinus.local.apiserver.body import known_fields, object_of
from serinus.local.apiserver.failure import Failure, already_exists, bad_request, conflict, forbidden, invalid, not_found
from serinus.local.apiserver.registry import indexed
from serinus.local.apiserver.store import Entry, Store
from serinus.local.schema.kinds import FieldError, Kind
from serinus.local.schema.managed import track

Json = dict[str, Any]


def load(entry: Entry) -> Json:
    return msgspec.json.decode(entry.body)


class Writer:
    """Writes to a store. Times come from the clock, names and uids from the random source."""

    def __init__(self, store: Store, clock: Clock, rng: random.Random) -> None:
        self.store, self._clock, self._rng = store, clock, rng

    @property
    def now(self) -> str:
        return rfc3339(self._clock.now())

    def live(self, resource: Resource, namespace: str, name: str) -> Json:
        """The stored object. Raises Failure 404."""
        entry = self.store.get(resource.group_resource, (namespace, name))
        if entry is None:
            raise not_found(resource, name)
        return load(entry)

    def put(self, resource: Resource, obj: Json, *, dry: bool, deleted: bool = False) -> bytes:
        """Store the object with the next version (or remove it); its JSON."""
        version = self.store.version + 1 if dry else self.store.next_version()
        obj["metadata"]["resourceVersion"] = str(version)
        body = msgspec.json.encode(obj)
        if not dry:
            labels, fields = indexed(resource.group_resource, obj)
            meta = obj["metadata"]
            self.store.commit(resource.group_resource, (meta.get("namespace", ""), meta["name"]), Entry(version, body, labels, fields), deleted=deleted)
        return body

    def create(self, kind: Kind, value: Any, namespace: str, query: Mapping[str, str], agent: str, warnings: list[str], *, name: str = "", tracked: list[Json] | None = None) -> bytes:
        """The created object's JSON. `tracked`: its managedFields, where apply knows them. Raises Failure."""
        resource = kind.resource
        obj = known_fields(kind, object_of(value, resource), query, warnings)
        _same_place(resource, obj, namespace, name)
        metadata.born(resource, obj, namespace, self.now, self._rng)
        self._namespace_takes(resource, namespace, obj["metadata"]["name"])
        obj = kind.default(obj)
        if kind.has_status and resource.group_resource not in ("nodes",):
            obj.pop("status", None)
        builtin.prepare_new(resource.group_resource, obj, now=self.now, rng=self._rng, taken=self._addresses(resource))
        _valid(kind, obj, None)
        if self.store.get(resource.group_resource, (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])):
            raise already_exists(resource, obj["metadata"]["name"])
        if tracked is None:
            self._track(kind, None, obj, query, agent)
        else:
            obj["metadata"]["managedFields"] = tracked
        return self.put(resource, obj, dry=_dry(query))

    def replace(self, kind: Kind, value: Any, namespace: str, name: str, query: Mapping[str, str], agent: str, warnings: list[str], *, sub: str = "") -> bytes:
        """PUT of an object or its status."""
        resource = kind.resource
        obj = known_fields(kind, object_of(value, resource), query, warnings)
        _same_place(resource, obj, namespace, name)
        live = self.live(resource, namespace, name)
        return self.update(kind, live, obj, query, agent, sub=sub)

    def update(self, kind: Kind, live: Json, obj: Json, query: Mapping[str, str], agent: str, *, sub: str = "", tracked: bool = False) -> bytes:
        """Put `obj` in the place of `live`. Raises Failure 409 when it was made from an older version, 422 when invalid."""
        resource, name = kind.resource, live["metadata"]["name"]
        version = obj["metadata"].get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise conflict(resource, name)
        obj = self._merged(kind, live, obj, sub)
        metadata.carried(resource, live, obj)
        if sub != "status":
            obj = kind.default(obj)
            builtin.prepare_update(resource.group_resource, live, obj, rng=self._rng, taken=self._addresses(resource))
            metadata.carried(resource, live, obj)
        _valid(kind, obj, live)
        obj["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        if metadata.same(live, obj):
            return self.put(resource, obj, dry=_dry(query)) if tracked and live != obj else msgspec.json.encode(live)
        if not tracked:
            self._track(kind, live, obj, query, agent, sub)
        return self._finish(resource, obj, dry=_dry(query))

    def _merged(self, kind: Kind, live: Json, obj: Json, sub: str) -> Json:
        if sub == "status":
            kept = {**live, "metadata": dict(live["metadata"])}
            if "managedFields" in obj["metadata"]:
                kept["metadata"]["managedFields"] = obj["metadata"]["managedFields"]
            kept.pop("status", None)
            return kept | ({"status": obj["status"]} if "status" in obj else {})
        if kind.has_status:
            obj = {k: v for k, v in obj.items() if k != "status"} | ({"status": live["status"]} if "status" in live else {})
        obj["metadata"].setdefault("managedFields", live["metadata"].get("managedFields", []))
        return obj

    def _finish(self, resource: Resource, obj: Json, *, dry: bool) -> bytes:
        """An object that is being deleted goes when its last finalizer does."""
        meta = obj["metadata"]
        gone = "deletionTimestamp" in meta and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds")
        if gone and not (resource.group_resource == "namespaces" and obj.get("spec", {}).get("finalizers")):
            return self.put(resource, obj, dry=dry, deleted=True)
        return self.put(resource, obj, dry=dry)

    def _track(self, kind: Kind, live: Json | None, obj: Json, query: Mapping[str, str], agent: str, sub: str = "") -> None:
        managed = track(kind, live, obj, manager=query.get("fieldManager") or agent, now=self.now, subresource=sub)
        if managed:
            obj["metadata"]["managedFields"] = managed
        else:
            obj["metadata"].pop("managedFields", None)

    def _addresses(self, resource: Resource) -> list[str]:
        if resource.group_resource != "services":
            return []
        return [e.fields.get("spec.clusterIP", "") for e in self.store.objects("services").values()]

    def _namespace_takes(self, resource: Resource, namespace: str, name: str) -> None:
        if not resource.namespaced:
            return
        entry = self.store.get("namespaces", ("", namespace))
        if entry is None:
            raise Failure(404, "NotFound", f'namespaces "{namespace}" not found', details={"name": namespace, "kind": "namespaces"})
        if "deletionTimestamp" in load(entry)["metadata"] and resource.group_resource != "events":
            failure = forbidden(resource, name, f"unable to create new content in namespace {namespace} because it is being terminated")
            failure.details["causes"] = [{"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated", "field": "metadata.namespace"}]
            raise failure


def _dry(query: Mapping[str, str]) -> bool:
    value = query.get("dryRun", "")
    if value not in ("", "All"):
        raise bad_request(f'dryRun: Unsupported value: "{value}": supported values: "All"')
    return value == "All"


def _same_place(resource: Resource, obj: Json, namespace: str, name: str) -> None:
    meta = obj["metadata"]
    if resource.namespaced and meta.get("namespace") and meta["namespace"] != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if name and meta.get("name") and meta["name"] != name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")


def _valid(kind: Kind, obj: Json, old: Json | None) -> None:
    errors: list[FieldError] = kind.validate(obj, old)
    if errors:
        causes = [(e.type, e.path, e.message().removeprefix(f"{e.path}: ")) for e in errors]
        raise invalid(kind.resource, obj["metadata"].get("name", ""), causes)
