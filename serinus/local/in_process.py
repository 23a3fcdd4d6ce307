"""The Lease of the Rollout controller that runs inside `serinus up`.

The Lease is not renewed. The API server and the controller are one process, so a readable Lease means that the
controller runs. `serinus doctor`, `serinus upgrade --check` and `kubectl get leases` use it to detect the controller.
"""

from __future__ import annotations

import os

from serinus.api.resources import LEASES
from serinus.api.values.times import format_time
from serinus.install.installation import IN_PROCESS, LEASE
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import AlreadyExists

NAMESPACE = "kube-system"


async def lead_from_here(client: Client, clock: Clock) -> None:
    """Writes the Lease and replaces that of an earlier process. Raises ApiError."""
    spec = {
        "holderIdentity": f"{IN_PROCESS}_{os.getpid()}",
        "leaseDurationSeconds": 2**31 - 1,
        "acquireTime": (now := format_time(clock.now()).replace("Z", ".000000Z")),
        "renewTime": now,
    }
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}, "spec": spec}
    try:
        await client.create(LEASES, body, NAMESPACE)
    except AlreadyExists:
        await client.patch(LEASES, LEASE, {"spec": spec}, NAMESPACE)
