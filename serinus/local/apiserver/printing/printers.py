"""Table cells by kind: one function from an object to its displayed columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serinus.api.values.times import age_words, parse_time
from serinus.local.apiserver.printing.pod_row import pod_cells
from serinus.local.apiserver.requests.selectors import as_text

Json = dict[str, Any]
Cells = Callable[[Json, float], list[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """Columns as (name, type, 1 if only `-o wide` shows it), and the function that computes the cells."""

    columns: tuple[tuple[str, str, int], ...]
    cells: Cells


def age(timestamp: str | None, now: float) -> str:
    """The time since `timestamp`; `<unknown>` if it is absent."""
    since = parse_time(timestamp)
    return "<unknown>" if since is None else age_words(now - since)


def custom_cells(columns: list[Json], obj: Json, now: float) -> list[Any]:
    """Cells of additionalPrinterColumns (simple JSON paths, as in definitions)."""
    return [_custom(column, obj, now) for column in columns]


def _custom(column: Json, obj: Json, now: float) -> Any:
    value = follow(obj, str(column.get("jsonPath", "")))
    if value is None:
        return "" if column.get("type") == "string" else None
    type_ = column.get("type")
    if type_ == "date":
        return age(str(value), now)
    if type_ == "integer" and isinstance(value, (int, float)):
        return int(value)
    if type_ in ("number", "boolean") and isinstance(value, (int, float)):
        return value
    if type_ != "string":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def follow(obj: Any, path: str) -> Any:
    """The first value at a JSON path such as `.status.conditions[?(@.type=="Ready")].status`; None if absent."""
    rest = path.removeprefix("$")
    while rest and obj is not None:
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            obj = _inside(obj, inside.strip())
            continue
        rest = rest.removeprefix(".")
        # A dot in a key is escaped as `\.`.
        length = 0
        while length < len(rest) and (rest[length] not in ".[" or (length and rest[length - 1] == "\\")):
            length += 1
        key, rest = rest[:length].replace("\\.", "."), rest[length:]
        if key:
            obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def _inside(obj: Any, inside: str) -> Any:
    if inside[:1] in ("'", '"'):
        return obj.get(inside[1:-1]) if isinstance(obj, dict) else None
    if not isinstance(obj, list):
        return None
    if inside == "*":
        return obj[0] if obj else None
    if inside.lstrip("-").isdigit():
        index = int(inside)
        return obj[index] if -len(obj) <= index < len(obj) else None
    if inside.startswith("?(") and "==" in inside:
        left, _, right = inside[2:].rstrip(")").partition("==")
        expected = right.strip().strip("'\"")
        field = left.strip().removeprefix("@")
        return next((item for item in obj if str(follow(item, field)) == expected), None)
    return None


def _meta(obj: Json, now: float) -> tuple[str, str]:
    meta = obj["metadata"]
    return meta["name"], age(meta.get("creationTimestamp"), now)


def containers(template: Json) -> list[str]:
    """The Containers and Images cells of a pod template."""
    rows = (template.get("spec") or {}).get("containers") or []
    return [",".join(str(c.get("name", "")) for c in rows), ",".join(str(c.get("image", "")) for c in rows)]


def _deployment(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [
        name,
        ready,
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        old,
        *containers(spec.get("template") or {}),
        as_text(spec.get("selector")),
    ]


def _replica_set(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        name,
        spec.get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        old,
        *containers(spec.get("template") or {}),
        as_text(spec.get("selector")),
    ]


def labels_text(labels: Json | None) -> str:
    """`a=b,c=d`."""
    return ",".join(f"{k}={v}" for k, v in sorted((labels or {}).items())) or "<none>"


def _service(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec: Json = obj.get("spec") or {}
    type_ = spec.get("type", "ClusterIP")
    external = ",".join(spec.get("externalIPs") or []) or "<none>"
    if type_ == "ExternalName":
        external = spec.get("externalName", "")
    elif type_ == "LoadBalancer":
        points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        external = ",".join(str(p.get("ip") or p.get("hostname")) for p in points) or "<pending>"
    ports = ",".join(
        f"{p.get('port')}:{p['nodePort']}/{p.get('protocol', 'TCP')}"
        if p.get("nodePort")
        else f"{p.get('port')}/{p.get('protocol', 'TCP')}"
        for p in spec.get("ports") or []
    )
    return [
        name,
        type_,
        spec.get("clusterIP") or "<none>",
        external,
        ports or "<none>",
        old,
        labels_text(spec.get("selector")),
    ]


def _ingress(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec: Json = obj.get("spec") or {}
    hosts = [r.get("host") for r in spec.get("rules") or [] if r.get("host")]
    shown = ",".join(hosts[:3]) + (f" + {len(hosts) - 3} more..." if len(hosts) > 3 else "")
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    address = ",".join(str(p.get("ip") or p.get("hostname")) for p in points)
    return [
        name,
        spec.get("ingressClassName") or "<none>",
        shown or "*",
        address,
        "80, 443" if spec.get("tls") else "80",
        old,
    ]


def _ingress_class(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec: Json = obj.get("spec") or {}
    parameters: Json = spec.get("parameters") or {}
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
    return [
        name,
        spec.get("controller", ""),
        f"{parameters['kind']}{group}/{parameters['name']}" if parameters else "<none>",
        old,
    ]


def _namespace(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    return [name, (obj.get("status") or {}).get("phase", ""), old]


def _node(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    status: Json = obj.get("status") or {}
    ready = next((c.get("status") for c in status.get("conditions") or [] if c.get("type") == "Ready"), "Unknown")
    state = {"True": "Ready", "False": "NotReady"}.get(str(ready), "Unknown") + (
        ",SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else ""
    )
    prefix = "node-role.kubernetes.io/"
    roles = (
        ",".join(sorted(k.removeprefix(prefix) for k in obj["metadata"].get("labels") or {} if k.startswith(prefix)))
        or "<none>"
    )
    addresses = {a.get("type"): a.get("address") for a in status.get("addresses") or []}
    info: Json = status.get("nodeInfo") or {}
    shown = [info.get(k) or "<unknown>" for k in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    return [
        name,
        state,
        roles,
        old,
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP") or "<none>",
        addresses.get("ExternalIP") or "<none>",
        *shown,
    ]


def _config_map(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    return [name, len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), old]


def _secret(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    return [name, obj.get("type", "Opaque"), len(obj.get("data") or {}), old]


def _service_account(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    return [name, len(obj.get("secrets") or []), old]


def _event(obj: Json, now: float) -> list[Any]:
    involved: Json = obj.get("involvedObject") or {}
    source: Json = obj.get("source") or {}
    first = age(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = age(
        obj.get("lastTimestamp")
        or (obj.get("series") or {}).get("lastObservedTime")
        or obj.get("firstTimestamp")
        or obj.get("eventTime"),
        now,
    )
    count = (obj.get("series") or {}).get("count") or obj.get("count") or 1
    about = f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"
    component = source.get("component") or obj.get("reportingComponent") or ""
    origin = component + (f", {source['host']}" if source.get("host") else "")
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        about,
        involved.get("fieldPath", ""),
        origin,
        str(obj.get("message", "")).strip(),
        first,
        count,
        obj["metadata"]["name"],
    ]


def _job(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    done, total = status.get("succeeded", 0), spec.get("completions")
    parallel = spec.get("parallelism", 1)
    completions = f"{done}/{total}" if total is not None else f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    types = {c.get("type"): c for c in status.get("conditions") or [] if c.get("status") == "True"}
    state = next(
        (
            s
            for t, s in (
                ("Complete", "Complete"),
                ("Failed", "Failed"),
                ("Suspended", "Suspended"),
                ("FailureTarget", "FailureTarget"),
            )
            if t in types
        ),
        "Running",
    )
    if obj["metadata"].get("deletionTimestamp"):
        state = "Terminating"
    took = ""
    started = parse_time(status.get("startTime"))
    if started is not None:
        ended = parse_time(status.get("completionTime"))
        took = age_words((now if ended is None else ended) - started)
    return [
        name,
        state,
        completions,
        took,
        old,
        *containers(spec.get("template") or {}),
        as_text(spec.get("selector")),
    ]


def _endpoints(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    addresses: list[str] = []
    for subset in obj.get("subsets") or []:
        ports = [p.get("port") for p in subset.get("ports") or []]
        addresses += [
            f"{a.get('ip')}:{port}" if port else str(a.get("ip"))
            for a in subset.get("addresses") or []
            for port in ports or [None]
        ]
    return [name, _first_three(addresses, "<none>"), old]


def _endpoint_slice(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    addresses = [a for e in obj.get("endpoints") or [] for a in e.get("addresses") or []]
    ports = [str(p.get("port") or "*") for p in obj.get("ports") or []]
    return [name, obj.get("addressType", ""), _first_three(ports, "<unset>"), _first_three(addresses, "<unset>"), old]


def _first_three(texts: list[str], none: str) -> str:
    return (",".join(texts[:3]) + (f" + {len(texts) - 3} more..." if len(texts) > 3 else "")) or none


def _lease(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    return [name, (obj.get("spec") or {}).get("holderIdentity") or "", old]


def _budget(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        name,
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        status.get("disruptionsAllowed", 0),
        old,
    ]


def _autoscaler(obj: Json, now: float) -> list[Any]:
    name, old = _meta(obj, now)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    target: Json = spec.get("scaleTargetRef") or {}
    texts: list[str] = []
    if spec.get("targetCPUUtilizationPercentage") is not None:  # autoscaling/v1
        utilization = status.get("currentCPUUtilizationPercentage")
        shown = "<unknown>" if utilization is None else f"{utilization}%"
        texts.append(f"cpu: {shown}/{spec['targetCPUUtilizationPercentage']}%")
    for i, metric in enumerate(spec.get("metrics") or []):
        resource: Json = metric.get("resource") or {}
        goal: Json = resource.get("target") or {}
        current = (
            ((status.get("currentMetrics") or [{}] * (i + 1))[i : i + 1] or [{}])[0]
            .get("resource", {})
            .get("current", {})
        )
        if goal.get("averageUtilization") is not None:
            utilization = current.get("averageUtilization")
            texts.append(
                f"{resource.get('name')}: {'<unknown>' if utilization is None else f'{utilization}%'}/{goal['averageUtilization']}%"
            )
        else:
            texts.append(
                f"{resource.get('name') or metric.get('type')}: "
                f"{current.get('averageValue', '<unknown>')}/{goal.get('averageValue', '<auto>')}"
            )
    targets = ", ".join(texts[:2]) + (f" + {len(texts) - 2} more..." if len(texts) > 2 else "")
    smallest = spec.get("minReplicas")
    return [
        name,
        f"{target.get('kind')}/{target.get('name')}",
        targets or "<none>",
        "<unset>" if smallest is None else str(smallest),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        old,
    ]


def _definition(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")]


def _pod_template(obj: Json, now: float) -> list[Any]:
    template: Json = obj.get("template") or {}
    return [obj["metadata"]["name"], *containers(template), labels_text((template.get("metadata") or {}).get("labels"))]


def _pod(obj: Json, now: float) -> list[Any]:
    return pod_cells(obj, lambda timestamp: age(timestamp, now))


def columns(text: str) -> tuple[tuple[str, str, int], ...]:
    """`Name Ready Age | Containers#`: only `-o wide` shows columns after `|`; `#`: number, `?`: boolean, `_`: space."""
    plain, _, wide = text.partition("|")
    result: list[tuple[str, str, int]] = []
    for part, priority in ((plain, 0), (wide, 1)):
        for word in part.split():
            type_ = {"#": "integer", "?": "boolean"}.get(word[-1], "string")
            result.append((word.rstrip("#?").replace("_", " "), type_, priority))
    return tuple(result)


ROWS: dict[str, Row] = {
    "pods": Row(columns("Name Ready Status Restarts Age | IP Node Nominated_Node Readiness_Gates"), _pod),
    "deployments.apps": Row(columns("Name Ready Up-to-date# Available# Age | Containers Images Selector"), _deployment),
    "replicasets.apps": Row(columns("Name Desired# Current# Ready# Age | Containers Images Selector"), _replica_set),
    "services": Row(columns("Name Type Cluster-IP External-IP Port(s) Age | Selector"), _service),
    "ingresses.networking.k8s.io": Row(columns("Name Class Hosts Address Ports Age"), _ingress),
    "ingressclasses.networking.k8s.io": Row(columns("Name Controller Parameters Age"), _ingress_class),
    "namespaces": Row(columns("Name Status Age"), _namespace),
    "nodes": Row(columns("Name Status Roles Age Version | Internal-IP External-IP OS-Image Kernel-Version Container-Runtime"), _node),
    "configmaps": Row(columns("Name Data# Age"), _config_map),
    "secrets": Row(columns("Name Type Data# Age"), _secret),
    "serviceaccounts": Row(columns("Name Secrets# Age"), _service_account),
    "events": Row((*columns("Last_Seen Type Reason Object | Subobject Source"), *columns("Message | First_Seen Count Name")), _event),
    "jobs.batch": Row(columns("Name Status Completions Duration Age | Containers Images Selector"), _job),
    "endpoints": Row(columns("Name Endpoints Age"), _endpoints),
    "endpointslices.discovery.k8s.io": Row(columns("Name AddressType Ports Endpoints Age"), _endpoint_slice),
    "leases.coordination.k8s.io": Row(columns("Name Holder Age"), _lease),
    "poddisruptionbudgets.policy": Row(columns("Name Min_Available Max_Unavailable Allowed_Disruptions# Age"), _budget),
    "horizontalpodautoscalers.autoscaling": Row(columns("Name Reference Targets MinPods MaxPods# Replicas# Age"), _autoscaler),
    "customresourcedefinitions.apiextensions.k8s.io": Row((("Name", "string", 0), ("Created At", "date", 0)), _definition),
    "podtemplates": Row(columns("Name Containers Images Pod_Labels"), _pod_template),
}  # fmt: skip
