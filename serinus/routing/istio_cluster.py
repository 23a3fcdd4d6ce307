"""The choice of the cluster that has Istio's objects: a Secret with a kubeconfig. Source: traffic routing, section 3.

Argo Rollouts searches all namespaces. Serinus reads the controller's own namespace alone: in another one, a user who
may create Secrets could send the weights of all Rollouts to a cluster of his own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from serinus.api.names import PRIMARY_CLUSTER
from serinus.routing.istio import GROUP

Json = dict[str, Any]
LABELS = f"{PRIMARY_CLUSTER}=true"
"""The label selector of the Secret."""


def is_about_istio(path: str) -> bool:
    """Whether a request to this path of an API server is about VirtualServices or DestinationRules, or their versions."""
    return path == f"/apis/{GROUP}" or path.startswith(f"/apis/{GROUP}/")


def primary_cluster(secrets: Sequence[Json], namespace: str) -> tuple[str, bytes] | None:
    """(the Secret, its kubeconfig) of those with the label in the controller's namespace; None without any.

    ValueError, with a sentence for the user, if they do not give one kubeconfig.
    """
    names = sorted(str(secret["metadata"]["name"]) for secret in secrets)
    if not names:
        return None
    if len(names) > 1:
        raise ValueError(
            f"{len(names)} Secrets of namespace {namespace} have the label {LABELS} ({', '.join(names)}): leave it on one"
        )
    source, data = f"Secret {namespace}/{names[0]}", secrets[0].get("data") or {}
    if len(data) != 1:
        raise ValueError(f"{source} with the label {LABELS} must have one key, the kubeconfig, and has {len(data)}")
    ((key, value),) = data.items()
    try:
        return source, base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{source}: data.{key} is no base64") from None
