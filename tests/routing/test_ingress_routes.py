"""HTTPRoutes in place of Ingresses with nginx's canary annotations."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from serinus.api.rollout import Rollout
from serinus.kube.client import Client
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from serinus.local.traefik.gateway_kinds import GATEWAY_API, install
from serinus.routing.gateway_api import HTTP
from serinus.routing.ingress_routes import migrated
from tests.support.kube.loop_clock import LoopClock
from tests.support.routing.plain import invalid

Json = dict[str, Any]
NGINX = "nginx.ingress.kubernetes.io/"
SERINUS = Path(sys.executable).with_name("serinus")


def path(service: str, value: str = "/", kind: str = "Prefix", port: Json | None = None) -> Json:
    return {"path": value, "pathType": kind, "backend": {"service": {"name": service, "port": port or {"number": 80}}}}


def ingress(name: str, *rules: tuple[str, list[Json]], spec: Json | None = None, **notes: str) -> Json:
    annotations = {NGINX + key.replace("_", "-"): value for key, value in notes.items()}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"rules": [{"host": host, "http": {"paths": paths}} for host, paths in rules], **(spec or {})},
    }


def rollout(**nginx: Any) -> Json:
    canary = {"stableService": "web", "canaryService": "web-canary", "trafficRouting": {"nginx": nginx}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "strategy": {"canary": canary}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "uid": "1"},
        "spec": spec,
        "status": {"phase": "Healthy"},
    }


def rule(value: str, *backends: Json, kind: str = "PathPrefix", headers: list[Json] | None = None) -> Json:
    match: Json = {"path": {"type": kind, "value": value}} | ({"headers": headers} if headers else {})
    return {"matches": [match], "backendRefs": list(backends)}


def backend(name: str, weight: int | None = None, port: int = 80) -> Json:
    return {"name": name, "port": port} | ({} if weight is None else {"weight": weight})


BOTH = (backend("web", 100), backend("web-canary", 0))


def test_the_ingress_of_a_rollout_becomes_an_httproute_and_the_rollout_leads_it():
    web = ingress("web", ("web.test", [path("web"), path("other", "/b", "Exact")]))
    route, led = migrated([rollout(stableIngress="web"), web], "infra/gw").objects
    assert route == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "parentRefs": [{"name": "gw", "namespace": "infra"}],
            "hostnames": ["web.test"],
            "rules": [rule("/", *BOTH), rule("/b", backend("other"), kind="Exact")],
        },
    }
    routing = led["spec"]["strategy"]["canary"]["trafficRouting"]
    assert routing == {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}}}
    assert ("status" not in led, "uid" not in led["metadata"]) == (True, True)
    assert invalid(msgspec.convert(led, Rollout)) == ""


def test_each_host_gets_a_route_and_several_are_a_list():
    web = ingress("web", ("a.test", [path("web")]), ("b.test", [path("web")]), ("a.test", [path("x", "/x")]))
    *routes, led = migrated([rollout(stableIngresses=["web"]), web], "gw").objects
    assert [(each["metadata"]["name"], each["spec"]["hostnames"]) for each in routes] == [
        ("web", ["a.test"]),
        ("web-2", ["b.test"]),
    ]
    named = led["spec"]["strategy"]["canary"]["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]["httpRoutes"]
    assert named == [{"name": "web", "useHeaderRoutes": True}, {"name": "web-2", "useHeaderRoutes": True}]


def test_a_plain_pair_of_ingresses_becomes_one_route():
    web = ingress("web", ("web.test", [path("web"), path("other", "/b")]))
    canary = ingress(
        "c", ("web.test", [path("new")]), canary="true", canary_weight="30", canary_weight_total="200",
        canary_by_header="X-New", canary_by_header_value="yes",
    )  # fmt: skip
    found = migrated([web, canary], "gw")
    (route,) = found.objects
    header = [{"name": "X-New", "type": "Exact", "value": "yes"}]
    assert route["spec"]["rules"] == [
        rule("/", backend("new"), headers=header),
        rule("/", backend("web", 170), backend("new", 30)),
        rule("/b", backend("other")),
    ]
    assert found.lost == ()


def test_what_is_lost_is_named():
    web = ingress(
        "web", ("web.test", [path("web", "/", "ImplementationSpecific"), path("web", "/p", port={"name": "http"})]),
        spec={"tls": [{"hosts": ["web.test"]}], "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        rewrite_target="/$1",
    )  # fmt: skip
    made = ingress("web-web-canary", ("web.test", [path("web-canary")]), canary="true", canary_weight="40")
    alone = ingress("alone", ("no.test", [path("x")]), canary="true")
    led = migrated([rollout(stableIngress="web"), web, made], "gw").objects[0]
    assert led["spec"]["rules"] == [rule("/", *BOTH)], "a canary Ingress that the Rollout made says nothing more"
    nginx = {"stableIngress": "web", "additionalIngressAnnotations": {"canary-by-header": "X", "limit-rps": "5"}}
    assert migrated([rollout(**nginx), web, made, alone], "gw").lost == (
        "Ingress web: spec.tls: give the certificate to a listener of the Gateway",
        "Ingress web: spec.defaultBackend: requests that no rule matches get 404",
        "Ingress web: annotation nginx.ingress.kubernetes.io/rewrite-target: '/$1' has no counterpart here",
        "Ingress web: web.test/ has pathType ImplementationSpecific; the HTTPRoute has PathPrefix",
        "Ingress web: the port http of Service web has no number: give the Service as well",
        "Ingress alone: no other Ingress has its hosts and paths, so that it is no canary of any",
        "Ingress web-web-canary: the Rollout made it; delete it once the HTTPRoute serves",
        "Rollout web: nginx.additionalIngressAnnotations.canary-by-header: 'X': a setHeaderRoute step does this",
        "Rollout web: nginx.additionalIngressAnnotations.limit-rps: '5': it has no counterpart",
    )


def test_a_named_port_has_the_number_that_its_service_gives():
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"ports": [{"name": "http", "port": 8080}]},
    }
    web = ingress("web", ("web.test", [path("web", port={"name": "http"})]))
    route = migrated([rollout(stableIngress="web"), web, service], "gw").objects[0]
    assert route["spec"]["rules"][0]["backendRefs"][0] == backend("web", 100, 8080)


def test_a_rollout_whose_ingress_is_missing_stays_as_it_is():
    found = migrated([rollout(stableIngress="web")], "gw")
    assert found.objects == ()
    assert found.lost == ("Rollout web: its Ingress web was not given, so that no HTTPRoute is made of it",)


async def test_the_api_server_takes_the_routes():
    server = ApiServer(MemoryStore(history=50), Schemas(), LoopClock(), rng=random.Random(7))
    await server.start()
    client = Client(server.handle)
    await install(client, GATEWAY_API)
    pair = (
        ingress("web", ("web.test", [path("web")])),
        ingress("c", ("web.test", [path("new")]), canary="true", canary_by_header="X"),
    )
    for route in migrated(list(pair), "gw").objects:
        route["metadata"]["namespace"] = "default"
        await client.create(HTTP.resource("v1"), route, "default")
    server.close()


def printed(text: str) -> subprocess.CompletedProcess[str]:
    command = [str(SERINUS), "migrate-routes", "--gateway", "gw", "-f", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_prints_the_manifests_and_what_is_lost():
    items = [rollout(stableIngress="web"), ingress("web", ("web.test", [path("web")]), rewrite_target="/")]
    done = printed(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
    assert done.returncode == 0, done.stderr
    assert [each["kind"] for each in yaml.safe_load_all(done.stdout)] == ["HTTPRoute", "Rollout"]
    assert done.stderr == (
        "Ingress web: annotation nginx.ingress.kubernetes.io/rewrite-target: '/' has no counterpart here\n"
    )


def test_the_command_refuses_what_the_api_server_refuses():
    done = printed(yaml.safe_dump(ingress("web", spec={"rules": 5})))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Ingress web: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "there is no Ingress to migrate" in printed("").stderr
