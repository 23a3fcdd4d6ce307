"""The objects that a controller created, by the audit log."""

from __future__ import annotations

import json
from collections import Counter

from tests.support.cluster.cluster import ACCOUNT, Cluster
from tests.support.cluster.cluster_instance import ClusterInstance


def made_by_controller(cluster: Cluster, there: ClusterInstance) -> Counter[str]:
    """Creations in this namespace, events apart, as the API server's audit log has them.

    A request whose client is killed has the code 504 there, whether the object was created or not: it counts if the object
    exists and no other request created it.
    """
    made: list[tuple[str, str]] = []
    lost: set[tuple[str, str]] = set()
    for line in cluster.plane.audit_file.read_text().splitlines():
        entry = json.loads(line)
        about = entry.get("objectRef") or {}
        ours = entry["user"]["username"] == ACCOUNT and about.get("namespace") == there.namespace
        if not ours or entry["verb"] != "create" or about["resource"] == "events":
            continue
        if entry["responseStatus"]["code"] == 201:
            made.append((about["resource"], about["name"]))
        elif entry["responseStatus"]["code"] == 504:
            lost.add((about["resource"], about["name"]))
    made += [one for one in lost - set(made) if there.shell(f"kubectl get {' '.join(one)} --ignore-not-found -o name")]
    return Counter(resource for resource, _ in made)
