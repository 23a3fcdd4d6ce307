"""Access reviews: a client with the token may do everything, and the results state so."""

from __future__ import annotations

from typing import Any

from serinus.api.resources import Resource

Json = dict[str, Any]

USER: Json = {"username": "serinus:admin", "groups": ["system:masters", "system:authenticated"]}
_ALLOWED = {"allowed": True, "reason": "the token of this Serinus may do everything"}
_RULES = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def review(resource: Resource, body: Json, is_token: bool) -> Json:
    """The review with its status. `is_token`: whether a TokenReview's token is this server's."""
    status: Json = {
        "SelfSubjectRulesReview": _RULES,
        "SelfSubjectReview": {"userInfo": USER},
        "TokenReview": {"authenticated": True, "user": USER}
        if is_token
        else {"user": {}, "error": "invalid bearer token"},
    }.get(resource.kind, _ALLOWED)
    meta = body.get("metadata") if isinstance(body.get("metadata"), dict) else {}
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"creationTimestamp": None, **(meta or {})},
        "spec": body.get("spec") or {},
        "status": status,
    }
