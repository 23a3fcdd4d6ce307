"""Objects in which every text has control characters."""

from __future__ import annotations

import re
from typing import Any

from serinus.api.messages.visible import visible
from tests.support.cli import screen_states as screens
from tests.support.cli.cli_cluster import rollout

Json = dict[str, Any]
MARKED = "\x1b[31;1mred\x1b]52;c;YQ==\x07\x9b2J\x7f\x85\r\u202eback\u2066\u2028\u00ad\ue000\U000e0041"
"""ESC, colours, the clipboard, BEL, CSI as C1, DEL, NEL, CR, marks that reverse text, and signs without a glyph."""
STRUCTURE = ("uid", "kind", "apiVersion", "resourceVersion", "phase", "controller", "type", "status")
"""Fields whose values decide the commands' path; the second run marks them as well."""
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT.*|\d+(%|s|m|h)?")


def marked(value: Any, everything: bool, key: str = "") -> Any:
    """`value` with MARKED at the end of every text in it, keys of maps apart."""
    if isinstance(value, dict):
        return {k: marked(v, everything, str(k)) for k, v in value.items()}  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list):
        return [marked(one, everything, key) for one in value]
    if not isinstance(value, str) or (not everything and (key in STRUCTURE or MOMENT.fullmatch(value))):
        return value
    return value + MARKED


def objects() -> dict[str, list[Json]]:
    """Plural -> objects: all that a command may read."""
    whole, around = screens.analysis_jobs()
    whole["spec"] = {**rollout()["spec"], **whole["spec"], "workloadRef": {"kind": "Deployment", "name": "web"}}
    run = around.analysis_runs[0]
    run["spec"] = {"metrics": [{"name": "value", "provider": {"job": {}}}], "args": [{"name": "a", "value": "b"}]}
    _, other = screens.experiment_step()
    metric: Json = {"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}
    template = {"metadata": {"name": "rate"}, "spec": {"metrics": [metric], "args": [{"name": "a"}]}}
    condition = {"type": "Progressing", "status": "False", "reason": "Because", "message": "of this"}
    whole["status"]["conditions"] = [condition]
    whole["metadata"]["managedFields"] = [
        {"manager": "kubectl", "operation": "Update", "time": "2026-01-01T00:00:00Z", "subresource": "status"}
    ]
    event = {
        "metadata": {"name": "e", "namespace": "play"},
        "involvedObject": {"kind": "Rollout", "name": "web", "uid": "web"},
        "reason": "RolloutPaused",
        "message": "it waits",
        "type": "Normal",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "reportingComponent": "somebody",
        "source": {"component": "somebody"},
    }
    return {
        "rollouts": [whole],
        "replicasets": [*around.replica_sets, *other.replica_sets],
        "pods": list(around.pods),
        "experiments": list(other.experiments),
        "analysisruns": [*around.analysis_runs, *other.analysis_runs],
        "analysistemplates": [template],
        "clusteranalysistemplates": [template],
        "deployments": [{"metadata": {"name": "web"}, "spec": {"template": whole["spec"]["template"]}, "status": {}}],
        "services": [{"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}],
        "ingresses": [{"metadata": {"name": "web"}, "spec": {"ingressClassName": "nginx"}}],
        "namespaces": [{"metadata": {"name": "play"}}],
        "events": [event],
        "leases": [{"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "renewTime": "2026-01-01T00:00:00Z"}}],
        "customresourcedefinitions": [],
    }


def foreign(text: str) -> str:
    """Characters that a terminal would execute or hide."""
    return "".join(sorted({sign for sign in text if visible(sign) != sign}))
