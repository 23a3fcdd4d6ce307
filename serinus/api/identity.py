"""What makes a revision: the hash of a pod template, equality of templates, and the hash of the canary steps.

A template's hash names its ReplicaSet, so it must come out as in Argo Rollouts: ReplicaSets that it made are then found
again and no pod restarts. The hash tells more templates apart than there are meanings (`cpu: 1000m` and `cpu: "1"`, a
default left out or spelled out), hence `same_template`: a ReplicaSet whose template means the same is the same
revision, and the label on it, not the computed hash, is the revision's name.

All functions are pure. Both are made to be asked at every reconcile: hashing a usual template takes some ten
microseconds; callers that keep answers may key them by (uid, metadata.generation) of the object the template is in.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from serinus.api import go_json
from serinus.api.meta import Json
from serinus.api.names import HASH
from serinus.api.pod_defaults import with_defaults
from serinus.api.rollout import CanaryStep, PodMetadata

_DIGITS = "456789bcdf"
_STEP_DIGITS = "bcdfghjklmnpqrstvwxz2456789"


def pod_template_hash(template: Json, collision_count: int | None = None) -> str:
    """The hash that names the ReplicaSet of this template, as Argo Rollouts computes it.

    FNV-1a (32 bits) of the template's JSON as Go writes it, in decimal, in an alphabet that spells no words.
    `collision_count` is the Rollout's status.collisionCount. The template must be as the API server stores it: nothing
    is defaulted here. ValueError if it holds a quantity or a number that is none.
    """
    salt = b"" if collision_count is None else struct.pack("<Q", collision_count & 0xFFFFFFFF)
    number = _fnv1a(go_json.written(template) + salt)
    return "".join(_DIGITS[int(digit)] for digit in str(number))


def step_hash(steps: Sequence[CanaryStep]) -> str:
    """The hash of the canary steps (status.currentStepHash): a change of steps starts them anew.

    FNV-1a (32 bits) of the steps' JSON as Go writes it (`null` without steps), in decimal, each digit's character code
    modulo 27 picking a letter.
    """
    number = _fnv1a(go_json.written_steps(msgspec.to_builtins(steps)))
    return "".join(_STEP_DIGITS[ord(digit) % 27] for digit in str(number))


def same_template(live: Json, wanted: Json, *, injected: PodMetadata | None = None) -> bool:
    """Whether a ReplicaSet's template `live` is the revision that the template `wanted` asks for.

    Both are compared by meaning, after the defaults of core/v1: amounts instead of their texts, empty like absent, the
    deprecated `serviceAccount` ignored. What Rollouts add to a ReplicaSet's template is taken off `live`: the hash
    label, the anti-affinity terms against a pod template hash, and the `injected` labels and annotations (as recorded
    in the annotation `rollout.argoproj.io/ephemeral-metadata`), unless `wanted` has the same.
    ValueError if a quantity in either is none.
    """
    return template_meaning(stripped(live, injected, wanted)) == template_meaning(wanted)


def template_meaning(template: Json) -> bytes:
    """Bytes that are equal exactly for templates that make the same pods (rules of `same_template`): a key to keep."""
    full = with_defaults(template)
    spec = full["spec"]
    spec.pop("serviceAccount", None)
    (full["metadata"].get("labels") or {}).pop(HASH, None)
    affinity = {key: terms for key, terms in (spec.get("affinity") or {}).items() if terms}
    spec["affinity"] = affinity or None
    return go_json.meaning(full)


def stripped(live: Json, injected: PodMetadata | None = None, wanted: Json | None = None) -> Json:
    """A ReplicaSet's template without what Rollouts added to it (see `same_template`). `live` is not changed."""
    metadata = dict(live.get("metadata") or {})
    asked = (wanted or {}).get("metadata") or {}
    extra = injected or PodMetadata()
    for field, added in (("labels", extra.labels), ("annotations", extra.annotations)):
        kept = {
            key: value
            for key, value in (metadata.get(field) or {}).items()
            if key != HASH and (key not in added or (asked.get(field) or {}).get(key) == value)
        }
        metadata[field] = kept
    spec = dict(live.get("spec") or {})
    if spec.get("affinity"):
        spec["affinity"] = _without_injected(spec["affinity"])
    return {**live, "metadata": metadata, "spec": spec}


def _without_injected(affinity: Json) -> Json:
    against = affinity.get("podAntiAffinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    kept = {
        required: [term for term in against.get(required) or [] if not names_a_hash(term)],
        preferred: [w for w in against.get(preferred) or [] if not names_a_hash(w.get("podAffinityTerm") or {})],
    }
    return {**affinity, "podAntiAffinity": {key: terms for key, terms in kept.items() if terms}}


def names_a_hash(term: Mapping[str, Any]) -> bool:
    """Whether a term of pod (anti-)affinity is about a revision: Rollouts put it there, no user does."""
    selector = term.get("labelSelector") or {}
    return any(e.get("key") == HASH for e in selector.get("matchExpressions") or [])


@lru_cache(maxsize=1024)
def _fnv1a(data: bytes) -> int:
    number = 0x811C9DC5
    for byte in data:
        number = ((number ^ byte) * 0x01000193) & 0xFFFFFFFF
    return number
