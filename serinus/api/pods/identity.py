"""Identity of a revision: the hash of a pod template, equality of templates, and the hash of the canary steps.

A template's hash names its ReplicaSet, so it must equal that of Argo Rollouts: its ReplicaSets are then reused and no
pod restarts. Equivalent templates can have different hashes (`cpu: 1000m` and `cpu: "1"`, a default left out or set).
So `same_template` compares by meaning: a ReplicaSet with an equivalent template is the same revision. Its label, not
the computed hash, is the revision's name.

All functions are pure and fast enough for every reconcile: hashing a usual template takes some ten microseconds.
Callers may cache results by (uid, metadata.generation) of the object with the template.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from serinus.api.meta import Json
from serinus.api.names import HASH
from serinus.api.pods import go_json
from serinus.api.pods.defaults import with_defaults
from serinus.api.rollout import CanaryStep

_DIGITS = "456789bcdf"
_STEP_DIGITS = "bcdfghjklmnpqrstvwxz2456789"


def pod_template_hash(template: Json, collision_count: int | None = None) -> str:
    """The hash that names the ReplicaSet of this template, as Argo Rollouts computes it.

    FNV-1a (32 bits) of the template's JSON as Go writes it, in decimal, in an alphabet that spells no words.
    `collision_count` is the Rollout's status.collisionCount. The template must be as the API server stores it: no
    defaults are applied here. ValueError for an invalid quantity or number.
    """
    salt = b"" if collision_count is None else struct.pack("<Q", collision_count & 0xFFFFFFFF)
    number = _fnv1a(go_json.written(template) + salt)
    return "".join(_DIGITS[int(digit)] for digit in str(number))


def step_hash(steps: Sequence[CanaryStep]) -> str:
    """The hash of the canary steps (status.currentStepHash). A change of steps restarts them.

    FNV-1a (32 bits) of the steps' JSON as Go writes it (`null` without steps), in decimal. Each digit's character code
    modulo 27 selects a letter.
    """
    number = _fnv1a(go_json.written_steps(msgspec.to_builtins(steps)))
    return "".join(_STEP_DIGITS[ord(digit) % 27] for digit in str(number))


def same_template(live: Json, desired: Json) -> bool:
    """Whether a ReplicaSet's template `live` is the same revision as the template `desired`.

    Both are compared by meaning, after the defaults of core/v1. Amounts count instead of texts, empty equals absent,
    and the deprecated `serviceAccount` is ignored. The comparison ignores the hash label of `live` and its
    anti-affinity terms against a pod template hash, which Rollouts add. For injected metadata see
    `template_metadata.own_template`. ValueError for an invalid quantity in either. A `live` that core/v1 cannot read
    equals no revision.
    """
    try:
        there = template_meaning(stripped(live))
    except (AttributeError, KeyError, TypeError):
        return False
    return there == template_meaning(desired)


def template_meaning(template: Json) -> bytes:
    """Bytes that are equal exactly for templates with equal pods (rules of `same_template`): a cache key."""
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
    if affinity and (rest := _without_injected(affinity)):
        spec["affinity"] = rest
    return {**live, "metadata": metadata, "spec": spec}


def _without_injected(affinity: Json) -> Json | None:
    """The affinity without terms against a pod template hash; None if it contains nothing else."""
    against: Json = affinity.get("podAntiAffinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    terms = {key: list(against.get(key) or []) for key in (required, preferred)}
    remaining = {
        required: [term for term in terms[required] if not names_a_hash(term)],
        preferred: [w for w in terms[preferred] if not names_a_hash(w.get("podAffinityTerm") or {})],
    }
    if remaining == terms:
        return affinity
    left = {**against, **remaining}
    left = {key: value for key, value in left.items() if value}
    return {key: value for key, value in {**affinity, "podAntiAffinity": left}.items() if value} or None


def names_a_hash(term: Mapping[str, Any]) -> bool:
    """Whether a term of pod (anti-)affinity selects a revision. Rollouts add such terms; users do not."""
    selector = term.get("labelSelector") or {}
    return any(e.get("key") == HASH for e in selector.get("matchExpressions") or [])


@lru_cache(maxsize=1024)
def _fnv1a(data: bytes) -> int:
    number = 0x811C9DC5
    for byte in data:
        number = ((number ^ byte) * 0x01000193) & 0xFFFFFFFF
    return number
