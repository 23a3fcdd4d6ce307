"""Traefik's configuration: one entry point, and a provider for each kind of routes that the API server serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus.local.apiserver.http import MISDIRECTED
from serinus.local.traefik.gateway_kinds import GATEWAY_API, TRAEFIK
from serinus.local.traefik.in_force import PATH as API_PATH
from serinus.local.traefik.in_force import TOKEN_HEADER

CONFIG = "traefik.yaml"
HIGHEST_PRIORITY = 1_000_000
"""Above every Ingress: the length of its rule is its priority."""
ROUTES = "routes.yaml"
"""Both contain JSON, which is valid YAML."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """`directory`: the gateway's own. `token_file`, `ca_file`: credentials for the API server at `endpoint`."""

    directory: Path
    endpoint: str
    token_file: Path
    ca_file: Path
    log_file: Path
    host: str = "127.0.0.1"
    port: int = 8080
    api_token: str = ""
    """Traefik's API answers only requests that carry it in a header. "": no API."""
    groups: frozenset[str] = frozenset()
    """Groups of additional kinds that Traefik reads; the API server must serve them (`gateway_kinds`)."""


def configuration(settings: GatewaySettings) -> dict[str, Any]:
    """Traefik's static configuration (JSON is YAML).

    A weight change waits for the throttle before it affects traffic. An Ingress loses no request when a pod ends:
    Traefik retries an attempt that failed before a response began on another pod, at most twice. It closes unused
    connections to pods after 5 s.
    """
    place = {
        "endpoint": settings.endpoint,
        "token": str(settings.token_file),
        "certAuthFilePath": str(settings.ca_file),
    }
    further = {
        GATEWAY_API.group: {"kubernetesGateway": {**place, "statusAddress": {"ip": settings.host}}},
        # Without this, a TraefikService does not answer if one of its Services has no endpoints yet.
        TRAEFIK.group: {"kubernetesCRD": {**place, "allowEmptyServices": True, "safeNaming": True}},
    }
    return {
        **({"api": {"dashboard": False, "disableDashboardAd": True}} if settings.api_token else {}),
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {
            "level": "INFO",
            "format": "common",
            "noColor": True,
            "filePath": str(settings.log_file),
            "maxSize": 10,
            "maxBackups": 1,
        },
        "entryPoints": {
            "web": {
                "address": f"{settings.host}:{settings.port}",
                "transport": {"lifeCycle": {"graceTimeOut": "3s"}},
            }
        },
        "providers": {
            "providersThrottleDuration": "50ms",
            "file": {"filename": str(settings.directory / ROUTES), "watch": False},
            "kubernetesIngressNGINX": {
                **place,
                "watchIngressWithoutClass": True,
                "httpEntryPoint": "web",
                "publishStatusAddress": [settings.host],
                "proxyNextUpstream": "error timeout",
                "proxyNextUpstreamTries": 3,
                "proxyConnectTimeout": 5,
                "upstreamKeepaliveTimeout": 5,
            },
            **{name: each for group in sorted(settings.groups) for name, each in further[group].items()},
        },
    }


def routes(settings: GatewaySettings) -> dict[str, Any]:
    """Traefik's routes beside the Ingresses. A Kubernetes client without a kubeconfig connects to 8080, the default
    gateway port.

    Every Ingress takes precedence. Traefik's API, for requests with the token alone, precedes every Ingress.
    """
    places = [f"Path(`{path}`)" for path in ("/api", "/apis", "/version")]
    places += [f"PathPrefix(`{path}/`)" for path in ("/api/v1", "/apis", "/openapi")]
    paths = " || ".join(places)
    rule = f"(Host(`localhost`) || Host(`127.0.0.1`)) && HeaderRegexp(`User-Agent`, `kubernetes/|kubectl`) && ({paths})"
    name = "misdirected"
    routers: dict[str, Any] = {name: {"rule": rule, "priority": 1, "middlewares": [name], "service": name}}
    if settings.api_token:
        own = f"Path(`{API_PATH}`) && Header(`{TOKEN_HEADER}`, `{settings.api_token}`)"
        routers["in-force"] = {"rule": own, "priority": HIGHEST_PRIORITY, "service": "api@internal"}
    return {
        "http": {
            "routers": routers,
            "middlewares": {name: {"addPrefix": {"prefix": MISDIRECTED}}},
            "services": {name: {"loadBalancer": {"servers": [{"url": settings.endpoint}], "serversTransport": name}}},
            "serversTransports": {name: {"rootCAs": [str(settings.ca_file)]}},
        }
    }
