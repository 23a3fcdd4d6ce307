"""The object that holds the pod template of a Rollout: the Rollout itself, or the workload of its `workloadRef`."""

from __future__ import annotations

from serinus.api.records import record
from serinus.api.resources import DEPLOYMENTS, POD_TEMPLATES, REPLICA_SETS, ROLLOUTS, Resource
from serinus.commands.decision import Json, Refusal

WORKLOADS = {"Deployment": DEPLOYMENTS, "ReplicaSet": REPLICA_SETS, "PodTemplate": POD_TEMPLATES}


@record()
class Holder:
    """`path`: of the pod template in the object, as a JSON pointer."""

    resource: Resource
    name: str
    path: str

    @property
    def is_rollout(self) -> bool:
        return self.resource is ROLLOUTS

    def template(self, obj: Json) -> Json:
        """The pod template in the object."""
        return (obj if self.path == "/template" else obj.get("spec") or {}).get("template") or {}


def template_holder(rollout: Json) -> Holder:
    """Refusal if the workload is of a kind that holds no pod template."""
    reference: Json = (rollout.get("spec") or {}).get("workloadRef") or {}
    if not reference:
        return Holder(ROLLOUTS, str(rollout["metadata"]["name"]), "/spec/template")
    kind = str(reference.get("kind"))
    if kind not in WORKLOADS:
        raise Refusal(f"workload of type {kind} is not supported")
    path = "/template" if kind == "PodTemplate" else "/spec/template"
    return Holder(WORKLOADS[kind], str(reference.get("name")), path)
