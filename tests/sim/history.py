"""A history as data: the world, the users' actions, the faults. A run is a function of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tests.sim.faults import Episode
from tests.sim.probes import Trouble
from tests.sim.workloads import Image

Json = dict[str, Any]
NAME = "web"

TIER = {"tier": "normal"}
"""A label of the pod template that metadata of a role may replace."""

Closing = Literal["release", "abort", "pause", "back", "judged"]
"""How a history ends, under faults: a release to its end; one that is aborted at, or left in, its first pause that waits
for approval; one that is rolled back there; one that is left to the verdict of its analyses."""


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action of a user, or of the world, `at` seconds after the start. The meaning of `value` depends on `kind`."""

    at: float
    kind: str
    value: Any = None


class Kill(msgspec.Struct, frozen=True):
    """The controller dies at its nth write counted from `at`: before the write is carried out, or after. Another follows."""

    at: float
    write: int
    after: bool
    back: float
    """Seconds until it is started again."""


class History(msgspec.Struct, frozen=True):
    seed: int
    rollout: Json
    """The Rollout as it is first applied."""
    services: tuple[str, ...]
    ingress: bool
    images: dict[str, Image]
    grace: float
    """Seconds that a pod serves on after it was deleted."""
    actions: tuple[Action, ...] = ()
    kills: tuple[Kill, ...] = ()
    episodes: tuple[Episode, ...] = ()
    late_episodes: tuple[Episode, ...] = ()
    """Of the closing; their times count from its beginning."""
    closing: Closing = "release"
    elected: bool = False
    """Two controllers, and a lease between them."""
    length: float = 120.0
    """Seconds of the part with random actions."""
    templates: tuple[Json, ...] = ()
    """AnalysisTemplates; empty in a history without analyses."""
    verdicts: dict[str, str] = {}
    """The monitoring result for an image (`probes.Verdict`); "good" where none is given."""
    troubles: tuple[Trouble, ...] = ()
    """Of the monitoring."""
    late_troubles: tuple[Trouble, ...] = ()
    """Of the closing; their times count from its beginning."""

    error_rates: dict[str, float] = {}
    """By image: the share of its requests that fail. Where it is given, the monitoring answers counts of requests."""
    traffic: float = 0.0
    """Requests per second of all versions together."""

    router: str = "nginx"
    """Key of the router in a history with one (`routers.MODELS`)."""
    objects: tuple[tuple[str, Json], ...] = ()
    """(plural, object) that the user of another router than nginx applies."""

    reports: float = 0.0
    """Seconds after which the gateway reports on the router's object that it has received; 0: it never does."""

    @property
    def endless(self) -> bool:
        """Whether an analysis may measure for as long as its update lasts."""
        return any("count" not in metric for t in self.templates for metric in t["spec"]["metrics"])

    def dump(self) -> str:
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode()


def load(text: str) -> History:
    return msgspec.json.decode(text, type=History)


def manifests(history: History) -> list[tuple[str, Json]]:
    """(plural, object) in the order in which they are applied."""
    labels = {"app": NAME}
    ports = [{"port": 80, "targetPort": "http", "name": "http"}]
    found: list[tuple[str, Json]] = [
        ("services", {"kind": "Service", "apiVersion": "v1", "metadata": {"name": n, "annotations": {"team": "shop"}},
                      "spec": {"selector": labels, "ports": ports, "sessionAffinity": "None"}})
        for n in history.services
    ]  # fmt: skip
    if history.router != "nginx":
        found += history.objects
    elif history.ingress:
        backend = {"service": {"name": NAME, "port": {"name": "http"}}}
        rule = {"host": "web.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        metadata = {"name": NAME, "annotations": {"team": "shop"}}
        ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata}
        found.append(("ingresses", {**ingress, "spec": {"ingressClassName": "nginx", "rules": [rule]}}))
    return [*found, *(("analysistemplates", t) for t in history.templates), ("rollouts", history.rollout)]


def template(image: str) -> Json:
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}}
    container = {
        "name": "web",
        "image": f"demo:{image}",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": resources,
    }
    return {"metadata": {"labels": {"app": NAME, **TIER}}, "spec": {"containers": [container]}}


def respelled(pod_template: Json) -> Json:
    """The same template in another spelling: other order, other units, defaults spelled out."""
    container: Json = dict(reversed(pod_template["spec"]["containers"][0].items()))
    container["resources"] = {"requests": {"memory": "1024Mi", "cpu": "1000m"}}
    container["imagePullPolicy"] = "IfNotPresent"
    return {
        "spec": {"restartPolicy": "Always", "containers": [container], "dnsPolicy": "ClusterFirst"},
        "metadata": pod_template["metadata"],
    }


def image_of(obj: Json) -> str:
    """The image's tag in a Rollout or ReplicaSet."""
    return obj["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")[2]
