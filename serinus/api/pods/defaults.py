"""The defaults that a Kubernetes API server writes into pod templates and pods (core/v1, Kubernetes 1.34).

A Deployment's stored template has all of them. The template inside a Rollout has only the few of the Rollout's own
schema. A comparison needs the same defaults on both sides. Functions return new objects and do not change their
arguments. They accept invalid templates and set the defaults that they can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from serinus.api.meta import Json
from serinus.api.pods.go_json import structs
from serinus.api.values import quantity
from serinus.api.values.images import image_name

_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_MODE = 0o644
_HOUR = 3600


def with_defaults(template: Json) -> Json:
    """A PodTemplateSpec with all defaults of core/v1, canonical quantities, and `metadata` and `spec` present.

    `pod_with_defaults` adds the defaults of pods only (requests from limits, service links, host ports). ValueError for
    an invalid quantity.
    """
    full = copied(template)
    full["metadata"] = full.get("metadata") or {}
    full["spec"] = full.get("spec") or {}
    _pod_spec(full["spec"])
    return full


def pod_with_defaults(pod: Json) -> Json:
    """A Pod with the defaults of `with_defaults` and those that only pods get. ValueError for an invalid quantity."""
    full = with_defaults(pod)
    spec = full["spec"]
    for container in [*_each(spec, "containers"), *_each(spec, "initContainers")]:
        resources = container.get("resources") or {}
        if resources.get("limits") is not None:
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
        if spec.get("hostNetwork"):
            for port in _each(container, "ports"):
                _fill(port, hostPort=port.get("containerPort", 0))
    _fill_absent(spec, enableServiceLinks=True)
    return full


def with_rollout_defaults(template: Json) -> Json:
    """A template as it is stored inside a Rollout: only the defaults that the Rollout's schema carries.

    They are `TCP` for ports, `optional: false` for fileKeyRef, "" for the service of gRPC probes; none for volumes.
    """
    full = copied(template)
    for container in _containers(full.get("spec") or {}):
        _ports_env_and_grpc(container)
    return full


def copied(value: Any) -> Any:
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def _pod_spec(spec: Json) -> None:
    _fill(spec, dnsPolicy="ClusterFirst", restartPolicy="Always", schedulerName="default-scheduler")
    _fill_absent(spec, securityContext={}, terminationGracePeriodSeconds=30)
    for volume in _each(spec, "volumes"):
        _volume(volume)
    for container in _containers(spec):
        _container(container)
    if spec.get("overhead"):
        spec["overhead"] = _amounts(spec["overhead"])
    _resources(spec.get("resources"))


def _container(container: Json) -> None:
    _fill(
        container,
        imagePullPolicy=_pull_policy(container.get("image") or ""),
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    _ports_env_and_grpc(container)
    for variable in _each(container, "env"):
        _field_ref((variable.get("valueFrom") or {}).get("fieldRef"))
    for name in _PROBES:
        probe = container.get(name)
        if probe is not None:
            _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            _http_get(probe.get("httpGet"))
    for hook in ("postStart", "preStop"):
        _http_get(((container.get("lifecycle") or {}).get(hook) or {}).get("httpGet"))
    _resources(container.get("resources"))


def _ports_env_and_grpc(container: Json) -> None:
    """The defaults that the schemas carry too, and so also those of a Rollout."""
    for port in _each(container, "ports"):
        _fill(port, protocol="TCP")
    for variable in _each(container, "env"):
        file_key = (variable.get("valueFrom") or {}).get("fileKeyRef")
        if file_key is not None:
            _fill_absent(file_key, optional=False)
    for name in _PROBES:
        grpc = (container.get(name) or {}).get("grpc")
        if grpc is not None:
            _fill_absent(grpc, service="")


def _pull_policy(image: str) -> str:
    """An invalid name counts as tagged, as in Kubernetes. Validation reports the name."""
    name = image_name(image)
    return "Always" if name and name.tag == "latest" else "IfNotPresent"


def _http_get(action: Json | None) -> None:
    if action is not None:
        _fill(action, path="/", scheme="HTTP")


def _field_ref(reference: Json | None) -> None:
    if reference is not None:
        _fill(reference, apiVersion="v1")


def _resources(resources: Json | None) -> None:
    for kind in ("limits", "requests"):
        if resources and resources.get(kind):
            resources[kind] = _amounts(resources[kind])


def _amounts(amounts: Json) -> Json:
    return {name: quantity.rounded_to_milli(0 if amount is None else amount) for name, amount in amounts.items()}


def _volume(volume: Json) -> None:
    sources = volume_sources(volume)
    if not sources:
        volume["emptyDir"] = {}
    for source in sources:
        if source in _VOLUMES:
            _VOLUMES[source](volume[source])


def volume_sources(volume: Json) -> list[str]:
    """The source fields of a volume, in the order given. Fields that a Volume does not have do not count."""
    known = structs()["Volume"]
    return [key for key, value in volume.items() if key in known and key != "name" and value is not None]


def _with_mode(source: Json) -> None:
    _fill_absent(source, defaultMode=_MODE)


def _empty_dir(source: Json) -> None:
    if source.get("sizeLimit") is not None:
        source["sizeLimit"] = quantity.canonical(source["sizeLimit"])


def _downward(source: Json) -> None:
    _with_mode(source)
    _downward_items(source)


def _downward_items(source: Json) -> None:
    for item in _each(source, "items"):
        _field_ref(item.get("fieldRef"))


def _projected(source: Json) -> None:
    _with_mode(source)
    for part in _each(source, "sources"):
        _downward_items(part.get("downwardAPI") or {})
        if part.get("serviceAccountToken") is not None:
            _fill_absent(part["serviceAccountToken"], expirationSeconds=_HOUR)


def _ephemeral(source: Json) -> None:
    claim = source.get("volumeClaimTemplate")
    if claim is not None:
        claim["spec"] = claim.get("spec") or {}
        _fill_absent(claim["spec"], volumeMode="Filesystem")
        _resources(claim["spec"].get("resources"))


_VOLUMES: dict[str, Callable[[Json], None]] = {
    "configMap": _with_mode,
    "secret": _with_mode,
    "downwardAPI": _downward,
    "projected": _projected,
    "emptyDir": _empty_dir,
    "hostPath": lambda source: _fill_absent(source, type=""),
    "ephemeral": _ephemeral,
    "image": lambda source: _fill(source, pullPolicy=_pull_policy(source.get("reference") or "")),
    "iscsi": lambda source: _fill(source, iscsiInterface="default"),
    "rbd": lambda source: _fill(source, pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "azureDisk": lambda source: _fill_absent(
        source, cachingMode="ReadWrite", fsType="ext4", readOnly=False, kind="Shared"
    ),
    "scaleIO": lambda source: _fill(source, storageMode="ThinProvisioned", fsType="xfs"),
}


def _containers(spec: Json) -> Iterator[Json]:
    for name in _CONTAINER_LISTS:
        yield from _each(spec, name)


def _each(parent: Json, field: str) -> Iterator[Json]:
    return (item for item in parent.get(field) or [] if item is not None)


def _fill(target: Json, **defaults: Any) -> None:
    """Set absent, empty or zero fields, which are no pointers in Go."""
    for name, value in defaults.items():
        target[name] = target.get(name) or value


def _fill_absent(target: Json, **defaults: Any) -> None:
    """Set absent fields, which are pointers in Go, so that zero is a valid value."""
    for name, value in defaults.items():
        if target.get(name) is None:
            target[name] = value
