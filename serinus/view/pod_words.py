"""Kubernetes' reasons why pods do not start, in words. Pure."""

from __future__ import annotations

_WORDS = {
    "ImagePullBackOff": "An image cannot be pulled",
    "ErrImagePull": "An image cannot be pulled",
    "InvalidImageName": "An image has an invalid name",
    "CrashLoopBackOff": "A container exits again and again",
    "OOMKilled": "A container needs more memory than its limit",
    "Unschedulable": "No node can take a pod",
    "FailedCreate": "The API server refuses to create pods",
    "CreateContainerConfigError": "A ConfigMap, a Secret or a key that a container names is missing",
    "Evicted": "A node evicted a pod",
}


def cannot_start(code: str) -> str:
    """A sentence without its period. `code`: the reason, such as `ImagePullBackOff`; `Init:` before it is allowed."""
    return _WORDS.get(code.removeprefix("Init:"), "Pods do not become ready")
