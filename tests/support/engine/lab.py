"""One Experiment, planned until nothing is left to do."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.network import Service
from serinus.api.workloads import ReplicaSet
from serinus.engine.experiment.experiment import plan_experiment
from serinus.engine.experiment.trial import ExperimentSnapshot
from tests.support.engine.world import World

Json = dict[str, Any]
CHECK: Json = {"metadata": {"name": "check"}, "spec": {"metrics": [{"name": "m", "provider": {"web": {}}}]}}


def template(name: str, **more: Any) -> Json:
    labels = {"app": "web", "arm": name}
    container = {"name": "web", "image": f"web:{name}", "ports": [{"containerPort": 8080}]}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"name": name, "selector": {"matchLabels": labels}, "template": pods, **more}


class Lab(World):
    """One Experiment `exp`; `settle` plans until nothing is left to do."""

    def __init__(self, **spec: Any) -> None:
        super().__init__()
        self.with_weight = frozenset[str]()
        """Services to which the Rollout's router leads requests."""
        self.objects["AnalysisTemplate", "check"] = CHECK
        self.add({"kind": "Experiment", "metadata": {"name": "exp"}, "spec": {"templates": [template("a")], **spec}})

    def seen(self) -> ExperimentSnapshot:
        def of(kind: str, type_: Any) -> dict[str, Any]:
            return {n: msgspec.convert(o, type_) for (k, n), o in self.objects.items() if k == kind}

        experiments = of("Experiment", Experiment)
        return ExperimentSnapshot(
            self.now,
            experiments.pop("exp"),
            tuple(of("ReplicaSet", ReplicaSet).values()),
            of("Service", Service),
            tuple(of("AnalysisRun", AnalysisRun).values()),
            {f"{k}/{n}": o for (k, n), o in self.objects.items() if k.endswith("AnalysisTemplate")},
            {e.metadata.uid: e for e in experiments.values()},
            with_weight=self.with_weight,
        )

    def once(self) -> Any:
        p = plan_experiment(self.seen())
        self.carry_out(p, "Experiment", "exp")
        return p

    @property
    def experiment(self) -> Experiment:
        return msgspec.convert(self.objects["Experiment", "exp"], Experiment)

    def sizes(self) -> dict[str, int]:
        return {n: o["spec"]["replicas"] for (k, n), o in self.objects.items() if k == "ReplicaSet"}
