"""Converts Ingresses with nginx's canary annotations, and the Rollouts that manage them, to HTTPRoutes. Pure.

Each Ingress becomes one HTTPRoute per host, because all rules of a route apply to all of its hosts. A feature without a
counterpart is reported in a sentence and omitted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from serinus.routing.gateway_api import GROUP
from serinus.routing.nginx import canary_ingress_name

Json = dict[str, Any]
NGINX = "nginx.ingress.kubernetes.io/"
CANARY = ("canary", "canary-weight", "canary-weight-total", "canary-by-header", "canary-by-header-value")
"""Annotations of a canary Ingress that have a counterpart."""
PLUGIN = "argoproj-labs/gatewayAPI"
FROM_SERVER = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation")


class Migration(NamedTuple):
    """`objects`: to apply, HTTPRoutes first. `lost`: features that are lost, each with its object and field."""

    objects: tuple[Json, ...]
    lost: tuple[str, ...]


class _Leads(NamedTuple):
    """The Rollout of an Ingress, with its two Services."""

    rollout: Json
    stable: str
    canary: str


def migrated(objects: list[Json], gateway: str) -> Migration:
    """The migration of these Rollouts, Ingresses and Services, without other kinds. `gateway`: `[NAMESPACE/]NAME`."""
    lost: list[str] = []
    ingresses = {_key(each): each for each in objects if each["kind"] == "Ingress"}
    ports = {_key(each): (each.get("spec") or {}).get("ports") or [] for each in objects if each["kind"] == "Service"}
    rollouts = [each for each in objects if each["kind"] == "Rollout" and _nginx(each) is not None]
    led = {(_space(r), name): _Leads(r, *_services(r)) for r in rollouts for name in _stable(r)}
    canary_ingresses = {(s, canary_ingress_name(_name(each.rollout), name)) for (s, name), each in led.items()}
    for space, name in sorted(set(led) - set(ingresses)):
        what = f"Rollout {_name(led[space, name].rollout)}: its Ingress {name or '(no name)'}"
        lost.append(f"{what} was not given, so that no HTTPRoute is made of it")
    plain = {key for key, each in ingresses.items() if _note(each, "canary") == "true"} - canary_ingresses
    routes: dict[tuple[str, str], list[Json]] = {}
    for key, ingress in ingresses.items():
        if key in plain or key in canary_ingresses:
            continue
        pairs = [
            ingresses[each]
            for each in sorted(plain)
            if each[0] == key[0] and _backends(ingresses[each]).keys() <= _backends(ingress).keys()
        ]
        if key not in led and not pairs:
            continue
        routes[key] = list(_routes(ingress, led.get(key), pairs, ports, gateway, lost))
        plain -= {_key(each) for each in pairs}
    lost += [
        f"Ingress {name}: no other Ingress has its hosts and paths, so that it is no canary of any"
        for _, name in sorted(plain)
    ]
    lost += [
        f"Ingress {name}: the Rollout made it; delete it once the HTTPRoute serves"
        for _, name in sorted(canary_ingresses & set(ingresses))
    ]
    changed = [
        _rollout(each, routes, lost) for each in rollouts if all((_space(each), n) in routes for n in _stable(each))
    ]
    return Migration((*(each for of_ingress in routes.values() for each in of_ingress), *changed), tuple(lost))


def _key(obj: Json) -> tuple[str, str]:
    return _space(obj), _name(obj)


def _name(obj: Json) -> str:
    return str(obj["metadata"]["name"])


def _space(obj: Json) -> str:
    return str(obj["metadata"].get("namespace") or "")


def _note(ingress: Json, key: str) -> str:
    return str((ingress["metadata"].get("annotations") or {}).get(NGINX + key) or "")


def _number(ingress: Json, key: str, otherwise: int) -> int:
    """The number at `key`. nginx ignores values that are not numbers."""
    text = _note(ingress, key)
    return int(text) if text.isascii() and text.isdecimal() else otherwise


def _canary(rollout: Json) -> Json:
    return ((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}


def _nginx(rollout: Json) -> Json | None:
    return (_canary(rollout).get("trafficRouting") or {}).get("nginx")


def _services(rollout: Json) -> tuple[str, str]:
    return str(_canary(rollout).get("stableService") or ""), str(_canary(rollout).get("canaryService") or "")


def _stable(rollout: Json) -> list[str]:
    nginx = _nginx(rollout) or {}
    return nginx.get("stableIngresses") or [str(nginx.get("stableIngress") or "")]


def _paths(ingress: Json) -> Iterator[tuple[str, Json]]:
    """(host, path) in the Ingress's order."""
    for rule in ingress["spec"].get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield str(rule.get("host") or ""), path


def _backends(ingress: Json) -> dict[tuple[str, str], Json]:
    return {(host, str(path.get("path") or "/")): path["backend"] for host, path in _paths(ingress)}


def _routes(
    ingress: Json,
    led: _Leads | None,
    pairs: list[Json],
    ports: dict[tuple[str, str], Any],
    gateway: str,
    lost: list[str],
) -> Iterator[Json]:
    what, space = f"Ingress {_name(ingress)}", _space(ingress)
    _tell_of_the_rest(ingress, pairs, lost)
    hosts: dict[str, list[Json]] = {}
    for host, path in _paths(ingress):
        value, kind = str(path.get("path") or "/"), path.get("pathType")
        if kind not in ("Prefix", "Exact"):
            lost.append(f"{what}: {host}{value} has pathType {kind}; the HTTPRoute has PathPrefix")
        match: Json = {"path": {"type": "Exact" if kind == "Exact" else "PathPrefix", "value": value}}
        stable = _backend(path["backend"], what, space, ports, lost)
        if stable is None:
            continue
        backends, rules = [stable], hosts.setdefault(host, [])
        if led and stable["name"] == led.stable:
            backends = [{**stable, "weight": 100}, {**stable, "name": led.canary, "weight": 0}]
        for pair in pairs:
            there = _backends(pair).get((host, value))
            other = _backend(there, f"Ingress {_name(pair)}", space, ports, lost) if there else None
            if other is not None:
                total, weight = _number(pair, "canary-weight-total", 100), _number(pair, "canary-weight", 0)
                backends = [{**stable, "weight": max(0, total - weight)}, {**other, "weight": weight}]
                if header := _note(pair, "canary-by-header"):
                    named = {
                        "name": header,
                        "type": "Exact",
                        "value": _note(pair, "canary-by-header-value") or "always",
                    }
                    rules.append({"matches": [{**match, "headers": [named]}], "backendRefs": [other]})
        rules.append({"matches": [match], "backendRefs": backends})
    for number, (host, rules) in enumerate(hosts.items(), start=1):
        yield _route(ingress, f"-{number}" if number > 1 else "", host, rules, gateway)


def _route(ingress: Json, suffix: str, host: str, rules: list[Json], gateway: str) -> Json:
    namespace, _, name = gateway.rpartition("/")
    metadata: Json = {"name": _name(ingress) + suffix, **({"namespace": _space(ingress)} if _space(ingress) else {})}
    parent = {"name": name, **({"namespace": namespace} if namespace else {})}
    if labels := ingress["metadata"].get("labels"):
        metadata["labels"] = labels
    spec: Json = {"parentRefs": [parent], **({"hostnames": [host]} if host else {}), "rules": rules}
    return {"apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def _backend(backend: Json, what: str, space: str, ports: dict[tuple[str, str], Any], lost: list[str]) -> Json | None:
    service = backend.get("service")
    if not service:
        lost.append(f"{what}: a backend that is no Service ({', '.join(backend)}) is left out")
        return None
    name, port = str(service["name"]), service.get("port") or {}
    number = port.get("number")
    if number is None:
        number = next((p.get("port") for p in ports.get((space, name), []) if p.get("name") == port.get("name")), None)
    if number is None:
        lost.append(f"{what}: the port {port.get('name')} of Service {name} has no number: give the Service as well")
        return None
    return {"name": name, "port": number}


def _tell_of_the_rest(ingress: Json, pairs: list[Json], lost: list[str]) -> None:
    what = f"Ingress {_name(ingress)}"
    if ingress["spec"].get("tls"):
        lost.append(f"{what}: spec.tls: give the certificate to a listener of the Gateway")
    if ingress["spec"].get("defaultBackend"):
        lost.append(f"{what}: spec.defaultBackend: requests that no rule matches get 404")
    for each in (ingress, *pairs):
        for key, value in sorted((each["metadata"].get("annotations") or {}).items()):
            if key.startswith(NGINX) and key.removeprefix(NGINX) not in (CANARY if each is not ingress else ()):
                lost.append(f"Ingress {_name(each)}: annotation {key}: {value!r} has no counterpart here")


def _rollout(rollout: Json, routes: dict[tuple[str, str], list[Json]], lost: list[str]) -> Json:
    """The Rollout with the Gateway API router instead of nginx."""
    migrated_rollout = copy.deepcopy(rollout)
    migrated_rollout.pop("status", None)
    for field in FROM_SERVER:
        migrated_rollout["metadata"].pop(field, None)
    routing = _canary(migrated_rollout)["trafficRouting"]
    nginx = routing.pop("nginx")
    names = [_name(each) for name in _stable(rollout) for each in routes[_space(rollout), name]]
    config: Json = {"httpRoute": names[0]}
    if len(names) > 1:
        config = {"httpRoutes": [{"name": name, "useHeaderRoutes": True} for name in names]}
    routing["plugins"] = {**(routing.get("plugins") or {}), PLUGIN: config}
    for field in ("additionalIngressAnnotations", "canaryIngressAnnotations"):
        for key, value in sorted((nginx.get(field) or {}).items()):
            instead = "a setHeaderRoute step does this" if key.endswith("canary-by-header") else "it has no counterpart"
            lost.append(f"Rollout {_name(rollout)}: nginx.{field}.{key}: {value!r}: {instead}")
    return migrated_rollout
