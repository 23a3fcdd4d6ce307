"""The dashboard's cached form of each object: the fields that it shows, as packed text.

The cache holds thousands of Rollouts with their ReplicaSets and pods while a browser tab is open. Decoded JSON needs
ten times the memory of its text, and the text five times that of the packed one. It is decoded when a row is made. The
texts of one application's pods differ only in their creation time. That time is stored separately, so they share one
text.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from serinus.api.meta import FieldsWritten, ObjectMeta
from serinus.dashboard.packed import packed, unpacked
from serinus.view.rollout_info import DEADLINE, EXPERIMENT_TEMPLATE, HASH, REVISION
from serinus.view.step_states import STEP_INDEX

Json = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NOTHING = msgspec.Raw(b"{}")


class Sent(msgspec.Struct):
    """Any object, with the fields that the functions below read."""

    metadata: ObjectMeta
    spec: msgspec.Raw = _NOTHING
    status: msgspec.Raw = _NOTHING


class _Written(FieldsWritten, rename={"fields": "fieldsV1"}):
    manager: str = ""
    fields: msgspec.Raw = _NOTHING


class _RolloutMeta(ObjectMeta, rename="camel", omit_defaults=True):
    managed_fields: list[_Written] = msgspec.field(default_factory=list[_Written])


class SentRollout(Sent):
    """A Rollout with the programs that wrote it."""

    # Decoded only, never assigned: a narrower type is safe.
    metadata: _RolloutMeta  # pyright: ignore[reportIncompatibleVariableOverride]


class Kept(msgspec.Struct, gc=False):
    """The cached part of an object: its keys, and the shown fields as text."""

    namespace: str
    name: str
    uid: str
    version: str
    owner_uid: str
    """UID of the controlling owner."""
    text: bytes | str
    """Packed, or a text that several pods share."""
    created: str = ""
    """The creation time, if the text does not contain it."""

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def metadata(self) -> ObjectMeta:
        """For the informer, which compares versions with it."""
        return ObjectMeta(name=self.name, namespace=self.namespace, uid=self.uid, resource_version=self.version)

    def json(self) -> Json:
        """The cached object in the API's form."""
        shown = msgspec.json.decode(self.text if isinstance(self.text, str) else unpacked(self.text))
        if self.created:
            shown["metadata"]["creationTimestamp"] = self.created
        shown["metadata"] |= {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": self.version,
            "ownerReferences": [{"uid": self.owner_uid, "controller": True}] if self.owner_uid else [],
        }
        return shown


def keep_rollout(sent: Sent) -> Kept:
    """With `writer`: the program that last wrote the spec."""
    spec = _decoded(sent.spec)
    spec["template"] = {"spec": _containers(spec)}
    spec.pop("selector", None)
    annotations = {k: v for k, v in sent.metadata.annotations.items() if k != LAST_APPLIED}
    writer = {"writer": {"manager": manager}} if (manager := _spec_writer(sent)) else {}
    return _slim(sent, _text(sent.metadata, spec, _decoded(sent.status), sent.metadata.labels, annotations, writer))


def _spec_writer(sent: Sent) -> str:
    """The field manager that last wrote the spec; empty if it is not known."""
    if not isinstance(sent, SentRollout):
        return ""
    own = [
        entry for entry in sent.metadata.managed_fields if not entry.subresource and b'"f:spec"' in bytes(entry.fields)
    ]
    return max(own, key=lambda entry: entry.time).manager if own else ""


def keep_replica_set(sent: Sent) -> Kept:
    spec = _decoded(sent.spec)
    slim = {"replicas": spec.get("replicas", 1), "template": {"spec": _containers(spec)}}
    annotations = _only(sent.metadata.annotations, REVISION, DEADLINE, EXPERIMENT_TEMPLATE)
    status = _decoded(sent.status)
    failures = [c for c in _maps(status, "conditions") if c.get("type") == "ReplicaFailure"]
    counts = _only(status, "replicas", "availableReplicas", "observedGeneration")
    status = _filled({**counts, "conditions": failures})
    return _slim(sent, _text(sent.metadata, slim, status, _only(sent.metadata.labels, HASH), annotations))


_STATES = ("name", "ready", "restartCount", "state", "started")


def keep_pod(sent: Sent) -> Kept:
    spec, status = _decoded(sent.spec), _decoded(sent.status)
    slim_spec = {
        "containers": [_only(c, "name") for c in _maps(spec, "containers")],
        "initContainers": [_only(c, "name", "restartPolicy") for c in _maps(spec, "initContainers")],
    }
    slim_status = {
        **_only(status, "phase", "reason"),
        "conditions": [_only(c, "type", "status") for c in _maps(status, "conditions") if c.get("type") == "Ready"],
        "containerStatuses": [_state(s) for s in _maps(status, "containerStatuses")],
        "initContainerStatuses": [_state(s) for s in _maps(status, "initContainerStatuses")],
    }
    return _shared(sent, _filled(slim_spec), _filled(slim_status))


def keep_owned(sent: Sent) -> Kept:
    """Experiments and AnalysisRuns: complete, except for metadata that is never shown."""
    annotations = _only(sent.metadata.annotations, REVISION)
    labels = _only(sent.metadata.labels, HASH, STEP_INDEX)
    return _slim(sent, _text(sent.metadata, _decoded(sent.spec), _decoded(sent.status), labels, annotations))


Keep = Callable[[Sent], Kept]


def _shared(sent: Sent, spec: Json, status: Json) -> Kept:
    """The cached pod with an interned text, which is freed with its last user."""
    created = sys.intern(sent.metadata.creation_timestamp)
    meta = msgspec.structs.replace(sent.metadata, creation_timestamp="")
    # A pod owns nothing, so its UID is in no second place.
    return _kept(sent, sent.metadata.uid, sys.intern(_text(meta, spec, status, {}, {}).decode()), created)


def _slim(sent: Sent, text: bytes) -> Kept:
    # Owned objects refer to it by the same UID.
    return _kept(sent, sys.intern(sent.metadata.uid), packed(text))


def _kept(sent: Sent, uid: str, text: bytes | str, created: str = "") -> Kept:
    meta = sent.metadata
    owner = meta.controller()
    owner_uid = sys.intern(owner.uid) if owner else ""
    return Kept(sys.intern(meta.namespace), meta.name, uid, meta.resource_version, owner_uid, text, created)


def _text(
    meta: ObjectMeta, spec: Json, status: Json, labels: Json, annotations: Json, more: Json | None = None
) -> bytes:
    shown = ObjectMeta(
        generation=meta.generation,
        creation_timestamp=meta.creation_timestamp,
        deletion_timestamp=meta.deletion_timestamp,
        labels=labels,
        annotations=annotations,
    )
    return msgspec.json.encode({"metadata": shown, "spec": spec, "status": status, **(more or {})})


def _filled(obj: Json) -> Json:
    return {key: value for key, value in obj.items() if value != []}


def _containers(spec: Json) -> Json:
    pod = _map(_map(spec, "template"), "spec")
    return {
        field: [_only(c, "name", "image") for c in _maps(pod, field)]
        for field in ("containers", "initContainers")
        if pod.get(field)
    }


def _state(state: Json) -> Json:
    slim = _only(state, *_STATES)
    now = _map(state, "state")
    if "running" in now:
        slim["state"] = {"running": {}}
    elif "waiting" in now:
        slim["state"] = {"waiting": _only(_map(now, "waiting"), "reason")}
    elif "terminated" in now:
        slim["state"] = {"terminated": _only(_map(now, "terminated"), "reason", "signal", "exitCode")}
    return slim


def _decoded(raw: msgspec.Raw) -> Json:
    value = msgspec.json.decode(raw)
    return value if isinstance(value, dict) else {}


def _only(obj: Json, *keys: str) -> Json:
    return {key: obj[key] for key in keys if key in obj}


def _map(obj: Json, key: str) -> Json:
    value = obj.get(key)
    return value if isinstance(value, dict) else {}


def _maps(obj: Json, key: str) -> list[Json]:
    items = obj.get(key)
    return [o for o in items if isinstance(o, dict)] if isinstance(items, list) else []
