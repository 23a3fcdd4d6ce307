"""`serinus install`: its output, and that the controller has exactly the rights that it uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import yaml

from serinus.api.resources import ARGOPROJ, DEPLOYMENTS, INGRESSES, JOBS, POD_TEMPLATES
from serinus.controller.cache import Cache
from serinus.install.installation import CLUSTER_RULES, RULES, installation
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.transport import Request, Response
from serinus.routing.registry import permissions

Json = dict[str, Any]
PLURALS = ("rollouts", "analysistemplates", "clusteranalysistemplates", "analysisruns", "experiments")
SERINUS = Path(sys.executable).with_name("serinus")


def printed(*arguments: str) -> list[Json]:
    done = subprocess.run([str(SERINUS), "install", *arguments], capture_output=True, text=True, check=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def kinds(objects: list[Json]) -> list[str]:
    return [f"{o['kind']}/{o['metadata']['name']}" for o in objects]


def test_it_prints_everything_in_an_order_that_works():
    found = kinds(printed())
    assert sorted(found[:5]) == sorted(f"CustomResourceDefinition/{name}.argoproj.io" for name in PLURALS)
    assert found.index("Namespace/argo-rollouts") < found.index("ServiceAccount/argo-rollouts")
    assert found.index("ClusterRole/argo-rollouts") < found.index("Deployment/argo-rollouts")


def test_namespaced_it_needs_no_rights_beyond_its_namespace():
    found = printed("--namespaced", "-n", "shop")
    assert "Role/argo-rollouts" in kinds(found)
    (role,) = [o for o in found if o["kind"] == "Role"]
    assert role["metadata"]["namespace"] == "shop"
    resources = {name for rule in role["rules"] for name in rule["resources"]}
    assert "clusteranalysistemplates" not in resources
    (deployment,) = [o for o in found if o["kind"] == "Deployment"]
    assert "--namespaced" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def test_what_is_deleted_to_remove_it_takes_no_definition_and_no_namespace_along():
    found = printed("--no-crds")
    assert not [o for o in found if o["kind"] in ("CustomResourceDefinition", "Namespace")]


def test_the_controller_runs_as_nobody_on_a_file_system_that_it_cannot_write():
    (deployment,) = [o for o in installation("a", "image") if o["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    context = pod["containers"][0]["securityContext"]
    assert (pod["securityContext"]["runAsNonRoot"], context["readOnlyRootFilesystem"]) == (True, True)
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert deployment["spec"]["replicas"] == 2


def test_no_rule_gives_everything():
    for group, resources, verbs, *_ in (*RULES, *permissions(), *CLUSTER_RULES):
        assert "*" not in (group, *resources, *verbs.split())


def test_all_that_the_controller_watches_it_may_read():
    """Resources that it writes need `get`: where no watch reports the write, it reads them by name."""

    async def nobody(request: Request) -> Response:
        raise AssertionError(f"{request.path}: nothing runs")

    cache = Cache(Client(nobody), SystemClock(), Random(1), lambda _: None)
    rows = (*RULES, *permissions(), *CLUSTER_RULES)
    given = {(group, name): verbs.split() for group, names, verbs, *only in rows for name in names if not only}
    own = [informer.resource for informer in cache.informers()]
    for resource in (*own, *ARGOPROJ, DEPLOYMENTS, INGRESSES, JOBS, POD_TEMPLATES):
        assert {"list", "watch"} <= set(given[resource.group, resource.plural]), resource.plural
    for resource in (*own, INGRESSES):
        assert "get" in given[resource.group, resource.plural], resource.plural
