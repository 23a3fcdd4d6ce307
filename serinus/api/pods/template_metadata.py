"""Separates a pod template's own labels and annotations from those that a role injected.

Two annotations of the ReplicaSet record them. `rollout.argoproj.io/ephemeral-metadata` holds the injected values, in
the form that Argo Rollouts reads and writes. `serinus.dev/template-metadata` holds the template's own value of each key
that is or was injected: null if the template has no such key. It keeps its keys for the life of the ReplicaSet, so
later passes correct pods that a failed write or a crash missed. Argo Rollouts ignores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from serinus.api.meta import Json
from serinus.api.names import EPHEMERAL_METADATA, TEMPLATE_METADATA
from serinus.api.rollout import PodMetadata

PARTS = ("labels", "annotations")
Own = dict[str, dict[str, str | None]]
"""By part (labels, annotations): key → the template's own value, None if the template has no such key."""


def injected(annotations: Mapping[str, str]) -> PodMetadata:
    """The labels and annotations that the ReplicaSet's template carries by its role, as recorded on the ReplicaSet."""
    values = _read(annotations.get(EPHEMERAL_METADATA))
    return PodMetadata(*({k: v for k, v in values[part].items() if v is not None} for part in PARTS))


def recorded(annotations: Mapping[str, str]) -> Own:
    """The template's own values, as far as Serinus recorded them on the ReplicaSet."""
    return _read(annotations.get(TEMPLATE_METADATA))


def own_values(annotations: Mapping[str, str], labels: Mapping[str, str]) -> Own:
    """The template's own value of each key that is or was injected, for a ReplicaSet with these annotations and labels.

    Without a record (Argo Rollouts makes none) the ReplicaSet's own labels decide. Both controllers copy the template's
    labels to them at creation, before any injection. An annotation without a record counts as injected.
    """
    own, now = recorded(annotations), injected(annotations)
    return {
        "labels": {key: labels.get(key) for key in now.labels} | own["labels"],
        "annotations": dict.fromkeys(now.annotations) | own["annotations"],
    }


def own_template(
    template: Json, annotations: Mapping[str, str], labels: Mapping[str, str], desired: Json | None = None
) -> Json:
    """A copy of the ReplicaSet's pod template with its own values in place of the injected ones.

    `desired`: the template for the comparison. It decides about injected annotations without a recorded own value: an
    annotation with the same value in `desired` stays.
    """
    own, known = own_values(annotations, labels), recorded(annotations)["annotations"]
    if not any(own.values()):
        return template
    meta: Json = dict(template.get("metadata") or {})
    asked: Json = ((desired or {}).get("metadata") or {}).get("annotations") or {}
    for key, value in (meta.get("annotations") or {}).items():
        if key in own["annotations"] and key not in known and asked.get(key) == value:
            own["annotations"][key] = value
    for part in PARTS:
        if own[part]:
            values: dict[str, str | None] = {**(meta.get(part) or {}), **own[part]}
            meta[part] = {key: value for key, value in values.items() if value is not None}
            if not meta[part]:
                del meta[part]
    return {**template, "metadata": meta}


def _read(text: str | None) -> Own:
    """Labels and annotations in an annotation's JSON; empty if it cannot be read."""
    try:
        parts: Any = msgspec.json.decode(text) if text else None
    except msgspec.DecodeError:
        parts = None
    return {part: _texts(cast(Json, parts).get(part)) if isinstance(parts, dict) else {} for part in PARTS}


def _texts(part: Any) -> dict[str, str | None]:
    values = cast(Json, part) if isinstance(part, dict) else {}
    return {key: value for key, value in values.items() if value is None or isinstance(value, str)}
