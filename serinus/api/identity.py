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
from serinus.api.rollout import CanaryStep

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


def same_template(live: Json, wanted: Json) -> bool:
    """Whether a ReplicaSet's template `live` is the revision that the template `wanted` asks for.

    Both are compared by meaning, after the defaults of core/v1: amounts instead of their texts, empty like absent, the
    deprecated `serviceAccount` ignored. The hash label and the anti-affinity terms against a pod template hash, which Rollouts
    add, are taken off `live`; for injected metadata see `template_metadata.own_template`.
    ValueError if a quantity in either is none. A `live` that core/v1 could not read is no revision of anything.
    """
    try:
        there = template_meaning(stripped(live))
    except (AttributeError, KeyError, TypeError):
        return False
    return there == template_meaning(wanted)


def template_meaning(template: Json) -> bytes:
    """Bytes that are equal exactly for templates that make the same pods (rules of `same_template`): a key to keep."""
    full = with_defaults(template)
    spec = full["spec"]
    spec.pop("serviceAccount", None)
    (full["metadata"].get("labels") or {}).pop(HASH, None)
    affinity = {key: terms for key, terms in (spec.get("affinity") or {}).items() if terms}
    spec["affinity"] = affinity or None
    return go_json.meaning(full)


def stripped(live: Json) -> Json:
    """A ReplicaSet's template without the hash label and anti-affinity that Rollouts add. `live` is not changed."""
    metadata = dict(live.get("metadata") or {})
    metadata["labels"] = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    spec = dict(live.get("spec") or {})
    affinity = spec.pop("affinity", None)
    if affinity and (kept := _without_injected(affinity)):
        spec["affinity"] = kept
    return {**live, "metadata": metadata, "spec": spec}


def _without_injected(affinity: Json) -> Json | None:
    """The affinity without terms against a pod template hash; None where nothing else is in it."""
    against: Json = affinity.get("podAntiAffinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    terms = {key: list(against.get(key) or []) for key in (required, preferred)}
    kept = {
        required: [term for term in terms[required] if not names_a_hash(term)],
        preferred: [w for w in terms[preferred] if not names_a_hash(w.get("podAffinityTerm") or {})],
    }
    if kept == terms:
        return affinity
    left = {**against, **kept}
    left = {key: found for key, found in left.items() if found}
    return {key: found for key, found in {**affinity, "podAntiAffinity": left}.items() if found} or None


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
