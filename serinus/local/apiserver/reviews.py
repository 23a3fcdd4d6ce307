"""Who may do what: the holder of the token may do everything, and nobody else gets this far.

Source: authorization.k8s.io/v1 and authentication.k8s.io/v1.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
USER = {"username": "serinus-admin", "groups": ["system:masters", "system:authenticated"]}


def answer(plural: str, body: Json) -> Json:
    """The review with its status."""
    out: Json = {**body, "metadata": body.get("metadata") or {}}
    if plural in ("selfsubjectaccessreviews", "subjectaccessreviews"):
        out["status"] = {"allowed": True, "reason": "this machine's owner may do everything"}
    elif plural == "selfsubjectrulesreviews":
        out["status"] = {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": False,
        }  # fmt: skip
    elif plural == "selfsubjectreviews":
        out["status"] = {"userInfo": USER}
    else:
        out["status"] = {"authenticated": False, "error": "tokens are not reviewed by this server"}
    return out
