"""The output of `kubectl get`: columns and cells by kind. And discovery, from which kubectl reads the kinds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.resources import DEPLOYMENTS, INGRESS_CLASSES, INGRESSES, PODS, SERVICES
from serinus.kube.client import Client
from serinus.local.apiserver.printing.pod_row import pod_cells
from serinus.local.apiserver.printing.printers import ROWS, age, follow

Json = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.mark.parametrize(
    ("status", "deleted", "word"),
    [
        ({"phase": "Pending"}, False, "Pending"),
        ({"phase": "Running", "containerStatuses": [{"ready": True, "state": {"running": {}}}]}, False, "Running"),
        (
            {"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            False,
            "CrashLoopBackOff",
        ),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            False,
            "ImagePullBackOff",
        ),
        (
            {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"reason": "Error", "exitCode": 1}}}]},
            False,
            "Error",
        ),
        ({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}, False, "ExitCode:3"),
        ({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"signal": 9}}}]}, False, "Signal:9"),
        ({"phase": "Failed", "reason": "Evicted"}, False, "Evicted"),
        ({"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]}, False, "Init:0/2"),
        (
            {"phase": "Pending", "initContainerStatuses": [{"state": {"terminated": {"exitCode": 0}}}, {"state": {}}]},
            False,
            "Init:1/2",
        ),
        (
            {"phase": "Pending", "initContainerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            False,
            "Init:CrashLoopBackOff",
        ),
        ({"phase": "Running"}, True, "Terminating"),
        (
            {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]},
            True,
            "Completed",
        ),
    ],
)
def test_a_pod_is_described_by_the_words_people_know(status: Json, deleted: bool, word: str) -> None:
    meta = {"name": "p"} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})
    pod = {"metadata": meta, "spec": {"initContainers": [{}, {}]}, "status": status}
    assert pod_cells(pod, lambda since: "1s")[2] == word


_UP: Json = {"ready": True, "started": True, "restartCount": 1, "state": {"running": {}}}
_STARTING: Json = {"ready": False, "started": False, "restartCount": 4, "state": {"running": {}}}
_DONE: Json = {"ready": True, "restartCount": 8, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
_WAITS: Json = {"ready": False, "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}


@pytest.mark.parametrize(
    ("side", "once", "web", "cells"),
    [
        (_UP, _DONE, _UP, ["2/2", "Running", "2"]),
        (_UP, _DONE, _WAITS, ["1/2", "PodInitializing", "1"]),
        (_UP | {"ready": False}, _DONE, _UP, ["1/2", "Running", "2"]),
        (_STARTING, _WAITS, _WAITS, ["0/2", "Init:0/2", "4"]),
        (_UP, _STARTING, _WAITS, ["1/2", "Init:1/2", "5"]),
        ({**_UP, "ready": False, "state": {"terminated": {"exitCode": 1}}}, _DONE, _DONE, ["0/2", "Completed", "9"]),
    ],
)
def test_native_sidecars_count_as_containers(side: Json, once: Json, web: Json, cells: list[str]) -> None:
    """Readiness and restarts include init containers that keep running; init containers that end count only until then."""
    init = [{"name": "side", "restartPolicy": "Always"}, {"name": "once"}]
    states = [{**side, "name": "side"}, {**once, "name": "once"}]
    status = {"phase": "Running", "initContainerStatuses": states, "containerStatuses": [{**web, "name": "web"}]}
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "web"}], "initContainers": init},
        "status": status,
    }
    assert pod_cells(pod, lambda since: "1s")[1:4] == cells


@pytest.mark.parametrize(
    ("spec", "annotations", "shown"),
    [
        ({}, {}, "nginx"),
        ({"ingressClassName": "other"}, {}, "other"),
        ({}, {"kubernetes.io/ingress.class": "old"}, "<none>"),
    ],
)
async def test_an_ingress_without_a_class_gets_the_default_one(
    client: Client, send: Any, spec: Json, annotations: Json, shown: str
) -> None:
    """CLASS of `kubectl get ingress`, as the admission of a cluster fills it in; the annotation names a class too."""
    for name, default in (("aaa", "false"), ("nginx", "true")):
        meta = {"name": name, "annotations": {"ingressclass.kubernetes.io/is-default-class": default}}
        await client.create(INGRESS_CLASSES, {"metadata": meta, "spec": {"controller": "x/y"}})
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    body = {"metadata": {"name": "web", "annotations": annotations}, "spec": {"defaultBackend": backend, **spec}}
    await client.create(INGRESSES, body, "default")
    _, table = await send("GET", "/apis/networking.k8s.io/v1/namespaces/default/ingresses", accept=TABLE)
    assert table["rows"][0]["cells"][1] == shown


async def test_pods_show_readiness_restarts_and_where_they_run(client: Client, send: Any) -> None:
    spec = {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}], "nodeName": "here"}
    await client.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, "default")
    running = {"name": "a", "ready": True, "restartCount": 2, "image": "i", "imageID": "", "state": {"running": {}}}
    status = {"phase": "Running", "podIP": "127.0.0.5", "containerStatuses": [running]}
    await client.patch(PODS, "p", {"status": status}, "default", subresource="status")
    _, table = await send("GET", "/api/v1/namespaces/default/pods", accept=TABLE)
    assert table["kind"] == "Table"
    wide = [c["name"] for c in table["columnDefinitions"] if c["priority"]]
    assert wide == ["IP", "Node", "Nominated Node", "Readiness Gates"]
    assert table["rows"][0]["cells"] == ["p", "1/2", "Running", "2", "0s", "127.0.0.5", "here", "<none>", "<none>"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_services_and_deployments_show_what_kubectl_shows(client: Client, send: Any) -> None:
    await client.create(
        SERVICES,
        {
            "metadata": {"name": "s"},
            "spec": {"ports": [{"port": 80, "name": "a"}, {"port": 443, "name": "b"}], "selector": {"app": "w"}},
        },
        "default",
    )
    template = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "w"}}, "template": template}
    await client.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec}, "default")
    _, services = await send("GET", "/api/v1/services", accept=TABLE)
    cells = services["rows"][0]["cells"]
    assert (cells[0], cells[1], cells[3:]) == ("s", "ClusterIP", ["<none>", "80/TCP,443/TCP", "0s", "app=w"])
    _, deployments = await send("GET", "/apis/apps/v1/deployments", accept=TABLE)
    assert deployments["rows"][0]["cells"] == ["d", "0/3", 0, 0, "0s", "web", "web:1", "app=w"]


async def test_a_watch_of_tables_sends_the_columns_once(client: Client, answer: Any) -> None:
    spec = {"containers": [{"name": "a", "image": "i"}]}
    for name in ("a", "b"):
        await client.create(PODS, {"metadata": {"name": name}, "spec": spec}, "default")
    response = await answer("GET", "/api/v1/namespaces/default/pods?watch=true", accept=TABLE)
    events = [msgspec.json.decode(await anext(response.stream)) for _ in range(2)]
    await response.stream.aclose()
    assert [e["object"]["rows"][0]["cells"][0] for e in events] == ["a", "b"]
    assert events[0]["object"]["columnDefinitions"][0]["name"] == "Name"
    assert events[1]["object"]["columnDefinitions"] is None


def test_every_row_has_a_cell_for_each_column() -> None:
    for resource, row in ROWS.items():
        assert len(row.cells({"metadata": {"name": "x"}}, 0.0)) == len(row.columns), resource


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".spec.size", 5),
        (".spec.missing.deeper", None),
        (".metadata.annotations.x\\.io/y", "z"),
        (".metadata.annotations['x.io/y']", "z"),
        (".items[1].name", "b"),
        (".items[5]", None),
        (".items[?(@.name=='b')].v", 2),
        ('.items[?(@.name=="a")].v', 1),
        (".spec[0]", None),
        (".items[*].name", "a"),
    ],
)
def test_columns_of_definitions_find_their_values(path: str, value: Any) -> None:
    obj = {
        "spec": {"size": 5},
        "metadata": {"annotations": {"x.io/y": "z"}},
        "items": [{"name": "a", "v": 1}, {"name": "b", "v": 2}],
    }
    assert follow(obj, path) == value


def test_an_age_that_is_not_known_says_so() -> None:
    assert age(None, 0.0) == "<unknown>"
    assert age("1970-01-01T00:00:00Z", 180.0) == "3m"


async def test_discovery_is_the_same_however_it_is_asked(send: Any) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    seen: dict[str, set[str]] = {}
    for root in ("/api", "/apis"):
        _, whole = await send("GET", root, accept=accept)
        for group in whole["items"]:
            for version in group["versions"]:
                name = group["metadata"].get("name", "")
                rows = {r["resource"] for r in version["resources"]}
                rows |= {
                    f"{r['resource']}/{s['subresource']}"
                    for r in version["resources"]
                    for s in r.get("subresources", [])
                }
                seen[f"{name}/{version['version']}" if name else version["version"]] = rows
    _, groups = await send("GET", "/apis")
    legacy = {v["groupVersion"]: f"/apis/{v['groupVersion']}" for g in groups["groups"] for v in g["versions"]} | {
        "v1": "/api/v1"
    }
    assert set(legacy) == set(seen)
    for group_version, url in legacy.items():
        _, value = await send("GET", url)
        assert value["groupVersion"] == group_version
        assert {r["name"] for r in value["resources"]} == seen[group_version]
    assert {"pods", "pods/log", "pods/eviction", "services", "events"} <= seen["v1"]
    assert {"rollouts", "rollouts/scale", "rollouts/status"} <= seen["argoproj.io/v1alpha1"]
    assert "selfsubjectaccessreviews" in seen["authorization.k8s.io/v1"]


async def test_unchanged_discovery_is_not_sent_twice(answer: Any) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    first = await answer("GET", "/apis", accept=accept)
    again = await answer("GET", "/apis", accept=accept, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


async def test_every_group_has_an_openapi_document(send: Any) -> None:
    _, index = await send("GET", "/openapi/v3")
    assert {"api/v1", "apis/apps/v1", "apis/argoproj.io/v1alpha1"} <= set(index["paths"])
    _, document = await send("GET", "/openapi/v3/apis/apps/v1")
    assert document["openapi"].startswith("3.")
    _, old = await send("GET", "/openapi/v2")
    assert old["swagger"] == "2.0"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/ping"])
async def test_health_is_told(answer: Any, path: str) -> None:
    response = await answer("GET", path)
    assert (response.status, response.body) == (200, b"ok")


async def test_whoever_is_in_may_do_everything(send: Any) -> None:
    root = "/apis/authorization.k8s.io/v1"
    status, review = await send(
        "POST",
        f"{root}/selfsubjectaccessreviews",
        {"spec": {"resourceAttributes": {"verb": "delete", "resource": "pods"}}},
    )
    assert (status, review["status"]["allowed"]) == (201, True)
    status, who = await send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert "system:masters" in who["status"]["userInfo"]["groups"]
    _, token = await send("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "made-up"}})
    assert token["status"] == {"user": {}, "error": "invalid bearer token"}
    assert (await send("GET", f"{root}/selfsubjectaccessreviews"))[0] == 405
