"""The report of istiod about an object: the condition Reconciled. Source: Istio, "Configuration Status Field".

istiod writes it up to version 1.22, with PILOT_ENABLE_STATUS and PILOT_ENABLE_CONFIG_DISTRIBUTION_TRACKING. It is True
once all proxies have the object. Later versions write no such condition, and leave that of an earlier one unchanged. So
a wait for it ends after REPORTS_WITHIN.
"""

from __future__ import annotations

from typing import Any

from serinus.routing.confirmations import is_behind, is_late, is_refused

Json = dict[str, Any]
REPORTS_WITHIN = 60.0
"""Seconds. istiod writes every 0.2 seconds, and drops the report of a replica that is silent for a minute."""


def unconfirmed(kind: str, name: str, obj: Json) -> str | None:
    """Why not all proxies have the object, as a sentence; "" if they have it. None if istiod does not report."""
    status = obj.get("status")
    if not isinstance(status, dict):
        return None
    conditions = status.get("conditions")
    objects = [each for each in conditions if isinstance(each, dict)] if isinstance(conditions, list) else []
    condition = next((each for each in objects if each.get("type") == "Reconciled"), None)
    if condition is None:
        return None
    observed, generation = condition.get("observedGeneration"), obj["metadata"].get("generation")
    observed = status.get("observedGeneration") if observed is None else observed
    if is_behind(observed, generation):
        return is_late(kind, name, "Istio", observed, generation)
    return "" if condition.get("status") == "True" else is_refused(kind, name, "Istio", condition)
