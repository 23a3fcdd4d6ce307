"""`serinus install`: its output, and that the controller has exactly the rights that it uses."""

from __future__ import annotations

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
from tests.support.cli import own_command

Json = dict[str, Any]
PLURALS = ("rollouts", "analysistemplates", "clusteranalysistemplates", "analysisruns", "experiments")


def printed(*arguments: str) -> list[Json]:
    return list(yaml.load_all(own_command.printed("install", *arguments), yaml.CSafeLoader))


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


def rights_of(objects: list[Json], role: str) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of a ClusterRole or Role."""
    (found,) = [o for o in objects if o["kind"] in ("ClusterRole", "Role") and o["metadata"]["name"] == role]
    rules = found["rules"]
    return {(g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}


def test_the_dashboard_may_look_and_write_events_and_nothing_else():
    found = printed("--no-crds", "--dashboard")
    rights = rights_of(found, "argo-rollouts-dashboard")
    assert {verb for _, _, verb in rights} == {"list", "watch", "create"}
    assert {(group, kind) for group, kind, verb in rights if verb == "create"} == {("", "events")}
    assert not [right for right in rights if "secrets" in right or "configmaps" in right]
    assert "ClusterRole/argo-rollouts-dashboard-impersonation" not in kinds(found)
    assert len([o for o in printed("--no-crds") if "dashboard" in o["metadata"]["name"]]) == 0


def test_the_dashboard_may_impersonate_only_where_a_way_in_needs_it_and_only_the_groups_that_are_named():
    oidc = ("--dashboard-flag=--oidc-issuer=https://login.example.com", "--dashboard-flag=--oidc-client-id=a")
    for groups in ((), ("oidc:dev", "oidc:ops")):
        found = printed("--no-crds", "--dashboard", *oidc, *(f"--dashboard-group={group}" for group in groups))
        name = "argo-rollouts-dashboard-impersonation"
        assert rights_of(found, name) == {("", "users", "impersonate"), ("", "groups", "impersonate")}
        (role,) = [o for o in found if o["kind"] == "ClusterRole" and o["metadata"]["name"] == name]
        assert role["rules"][1].get("resourceNames", []) == list(groups)
        (deployment,) = [o for o in found if o["kind"] == "Deployment" and "dashboard" in o["metadata"]["name"]]
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        assert arguments[-2:] == ["--oidc-issuer=https://login.example.com", "--oidc-client-id=a"]
        assert "--cookie-key-file=/etc/serinus-dashboard/cookie-key" in arguments


def test_the_flags_of_the_installed_dashboard_are_flags_of_its_command():
    from serinus.cli import dashboard_server

    found = printed("--no-crds", "--dashboard", "--dashboard-replicas", "2")
    (deployment,) = [o for o in found if o["kind"] == "Deployment" and "dashboard" in o["metadata"]["name"]]
    command, *flags = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert command == "dashboard-server"
    assert {flag.partition("=")[0] for flag in flags} <= {f"--{flag.name}" for flag in dashboard_server.COMMAND.flags}


def test_browsers_reach_the_dashboard_by_an_ingress_or_a_route():
    url = ("--no-crds", "--dashboard", "--dashboard-url", "https://rollouts.example.com/rollouts")
    ingress = ("--dashboard-ingress-class", "nginx", "--dashboard-tls-secret", "tls")
    found = {o["kind"]: o for o in printed(*url, *ingress, "--dashboard-gateway", "infra/front")}
    rule = found["Ingress"]["spec"]["rules"][0]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == ("rollouts.example.com", "/rollouts")
    assert found["Ingress"]["spec"]["tls"] == [{"hosts": ["rollouts.example.com"], "secretName": "tls"}]
    route = found["HTTPRoute"]["spec"]
    assert (route["hostnames"], route["parentRefs"]) == (
        ["rollouts.example.com"],
        [{"name": "front", "namespace": "infra"}],
    )
    assert not {"Ingress", "HTTPRoute"} & {o["kind"] for o in printed("--no-crds", "--dashboard")}


def test_a_flag_for_the_dashboard_must_be_a_flag():
    done = own_command.invoke("install", "--dashboard", "--dashboard-flag", "oidc")
    assert done.exit_code == 1
    assert "--dashboard-flag takes a flag of `serinus dashboard-server`, found 'oidc'" in done.output
