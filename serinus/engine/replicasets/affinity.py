"""`antiAffinity`: during an update, new pods avoid the nodes of the stable version.

The term names the stable version by its hash and is no part of the revision's identity. It stays after the promotion,
but then has no effect. Source: the Rollout resource, section 6; canary strategy, section 7.
"""

from __future__ import annotations

from serinus.api.meta import Json
from serinus.api.names import HASH
from serinus.api.pods.identity import names_a_hash
from serinus.api.rollout import AntiAffinity
from serinus.engine.core.context import RolloutContext

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def desired(s: RolloutContext, stable_hash: str, new_hash: str) -> AntiAffinity | None:
    """The strategy's anti-affinity; None outside of an update."""
    strategy = s.canary or s.blue_green
    return strategy.anti_affinity if strategy and stable_hash and stable_hash != new_hash else None


def kept_apart(template: Json, rule: AntiAffinity, stable_hash: str, namespace: str) -> Json:
    """A copy of the pod template that has the term against `stable_hash` (and no older one of ours)."""
    term: Json = {
        "labelSelector": {"matchExpressions": [{"key": HASH, "operator": "In", "values": [stable_hash]}]},
        "namespaces": [namespace],
        "topologyKey": "kubernetes.io/hostname",
    }
    spec = template.get("spec") or {}
    affinity = dict(spec.get("affinity") or {})
    against = dict(affinity.get("podAntiAffinity") or {})
    required = [t for t in against.get(REQUIRED) or [] if not names_a_hash(t)]
    preferred = [w for w in against.get(PREFERRED) or [] if not names_a_hash(w.get("podAffinityTerm") or {})]
    weight = rule.preferred_during_scheduling_ignored_during_execution
    if weight is not None:
        preferred.append({"podAffinityTerm": term, "weight": weight.get("weight")})
    else:
        required.append(term)
    against = {key: terms for key, terms in ((REQUIRED, required), (PREFERRED, preferred)) if terms}
    return {**template, "spec": {**spec, "affinity": {**affinity, "podAntiAffinity": against}}}


def affinity_patch(template: Json, rule: AntiAffinity, stable_hash: str, namespace: str) -> Json | None:
    """Merge patch of a ReplicaSet's `spec` that adds the term; None if its template is right."""
    have = ((template.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") or {}
    want = kept_apart(template, rule, stable_hash, namespace)["spec"]["affinity"]["podAntiAffinity"]
    if have == want:
        return None
    lists = {key: want.get(key) for key in (REQUIRED, PREFERRED) if have.get(key) != want.get(key)}
    return {"template": {"spec": {"affinity": {"podAntiAffinity": lists}}}}
