"""The Helm chart, rendered by a real helm, equals the output of `serinus install`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.install.dashboard import Dashboard, dashboard
from serinus.install.installation import default_image, installation
from serinus.routing.registry import permissions
from tests.support.cluster.binary import NoBinary
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.helm_program import helm
from tests.support.instance.live import REPOSITORY

Json = dict[str, Any]
CHART = REPOSITORY / "install" / "helm" / "serinus"


@pytest.fixture(scope="session")
def program() -> Path:
    try:
        return helm()
    except NoBinary as error:
        pytest.skip(f"no helm here: {error}")


def rendered(program: Path, namespace: str, *settings: str) -> dict[str, Json]:
    """By kind and name."""
    flags = [word for setting in settings for word in ("--set", setting)]
    command = [str(program), "template", "serinus", str(CHART), "--namespace", namespace, "--include-crds", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return by_name([obj for obj in yaml.safe_load_all(done.stdout) if obj])


def by_name(objects: list[Json]) -> dict[str, Json]:
    found = {f"{o['kind']}/{o['metadata']['name']}": o for o in objects}
    assert len(found) == len(objects)
    return found


def installed(namespace: str, **options: Any) -> dict[str, Json]:
    """Without the namespace, which helm makes by `--create-namespace`."""
    image = options.pop("image", default_image())
    return by_name(
        [o for o in installation(namespace, image, routing=permissions(), **options) if o["kind"] != "Namespace"]
    )


def test_by_default_the_chart_is_what_serinus_install_prints(program: Path) -> None:
    assert rendered(program, "argo-rollouts") == installed("argo-rollouts")


def test_each_setting_of_the_chart_is_the_flag_of_the_same_meaning(program: Path) -> None:
    image = {"image": "registry.example/serinus:1"}
    settings = ("image.repository=registry.example/serinus", "image.tag=1", "replicas=3", "serviceMonitor.enabled=true")
    assert rendered(program, "shop", *settings) == installed("shop", **image, replicas=3, monitor=True)
    assert rendered(program, "shop", "namespaced=true") == installed("shop", namespaced=True)
    assert rendered(program, "shop", "instanceId=two") == installed("shop", instance_id="two")
    both = installed("shop", namespaced=True, instance_id="two")
    assert rendered(program, "shop", "namespaced=true", "instanceId=two") == both


def test_resources_and_rights_of_people_can_be_left_out(program: Path) -> None:
    found = rendered(program, "shop", "aggregateRoles=false", "resources.limits.memory=2Gi")
    container = found["Deployment/argo-rollouts"]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"memory": "2Gi"}
    assert [name for name in found if "aggregate" in name] == []


def test_the_dashboard_of_the_chart_is_that_of_serinus_install(program: Path) -> None:
    def expected(given: Dashboard, *, namespaced: bool = False) -> dict[str, Json]:
        own = dashboard("shop", default_image(), given, namespaced=namespaced)
        return installed("shop", namespaced=namespaced) | by_name(own)

    assert rendered(program, "shop", "dashboard.enabled=true") == expected(Dashboard())
    few = rendered(program, "shop", "dashboard.enabled=true", "namespaced=true")
    assert few == expected(Dashboard(), namespaced=True)
    url = "https://rollouts.example.com/rollouts"
    settings = (
        "url=" + url,
        "replicas=2",
        "groups={oidc:dev}",
        "oidc.issuer=https://login.example.com",
        "readOnly=true",
    )
    reached = ("ingress.className=nginx", "ingress.tlsSecret=tls", "gateway.name=front", "gateway.namespace=infra")
    flags = (
        "--read-only",
        "--oidc-issuer=https://login.example.com",
        "--oidc-client-id=rollouts",
        "--oidc-client-secret-file=/etc/serinus-dashboard/oidc-client-secret",
    )
    given = Dashboard(
        url, 2, flags, True, ("oidc:dev",), ingress_class="nginx", gateway="infra/front", tls_secret="tls"
    )
    set_all = [f"dashboard.{setting}" for setting in ("enabled=true", *settings, *reached)]
    assert rendered(program, "shop", *set_all) == expected(given)


def test_helm_installs_and_removes_it_and_rollouts_stay(
    cluster: Cluster, there: ClusterInstance, program: Path, tmp_path: Path
) -> None:
    """Without a controller pod, whose image cannot be pulled here; its instance has no Rollouts of others."""

    def helm(*words: str) -> str:
        homes = {f"HELM_{kind}_HOME": str(tmp_path / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        command = [str(program), *words, "-n", there.namespace, "--kubeconfig", str(cluster.plane.kubeconfig())]
        done = subprocess.run(
            command, env={**os.environ, **homes}, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    helm("install", "second", str(CHART), "--set", "replicas=0,instanceId=second")
    assert there.get("deployment", "argo-rollouts")["spec"]["template"]["spec"]["serviceAccountName"] == "argo-rollouts"
    rights = "kubectl auth can-i patch rollouts -A --as "
    account = f"system:serviceaccount:{there.namespace}:argo-rollouts"
    assert there.shell(rights + account).strip() == "yes"
    helm("uninstall", "second")
    assert there.shell(rights + account, check=False).strip().startswith("no")
    assert "rollouts.argoproj.io" in there.shell("kubectl get crd -o name")
    assert there.shell("kubectl get clusterrole argo-rollouts -o name"), "of the other installation"


@pytest.mark.parametrize(
    "source",
    ["serinus install", "serinus install --dashboard", "serinus install --namespaced", "kubectl kustomize install"],
)
def test_a_real_api_server_takes_all_that_is_printed(there: ClusterInstance, source: str) -> None:
    """The Deployment as well, which does not run here."""
    said = there.shell(f"{source} | kubectl apply --server-side --force-conflicts --dry-run=server -f -", REPOSITORY)
    assert "deployment.apps/argo-rollouts serverside-applied" in said
