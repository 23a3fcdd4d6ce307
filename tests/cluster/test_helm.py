"""The Helm chart, rendered by a real helm, equals the output of `serinus install`."""

from __future__ import annotations

import os
import runpy
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus import __version__
from serinus.install.dashboard import Dashboard, dashboard
from serinus.install.installation import default_image, installation
from serinus.routing.registry import permissions
from tests.support.cluster.binary import NoBinary
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.cluster_instance import ClusterInstance
from tests.support.cluster.helm_program import helm
from tests.support.instance.live import REPOSITORY
from tests.support.previous_version import NoPrevious, git, previous

Json = dict[str, Any]
CHART = REPOSITORY / "install" / "helm" / "serinus"


@pytest.fixture(scope="session")
def program() -> Path:
    try:
        return helm()
    except NoBinary as error:
        pytest.skip(f"no helm here: {error}")


def ran(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *words], capture_output=True, text=True, check=False, timeout=120)


def rendered(program: Path, namespace: str, *settings: str, chart: Path = CHART) -> dict[str, Json]:
    """By kind and name."""
    flags = [word for setting in settings for word in ("--set", setting)]
    done = ran(program, "template", "serinus", str(chart), "--namespace", namespace, "--include-crds", *flags)
    assert done.returncode == 0, done.stderr
    return by_name([obj for obj in yaml.safe_load_all(done.stdout) if obj])


def previous_chart(place: Path) -> Path:
    """The chart of the last version, or the first one that there was. Skips the test where git does not have it."""
    path = str(CHART.relative_to(REPOSITORY))

    def first() -> str:
        return git("log", "--format=%H", "--diff-filter=A", "--", f"{path}/Chart.yaml").decode().split()[-1]

    try:
        commit, found = previous(first, place, "install")
    except NoPrevious as error:
        pytest.skip(str(error))
    if not git("diff", commit, "--", path):
        pytest.skip("git has no chart but the present one: it is a checkout without its history")
    return found / path


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


def test_the_image_can_be_named_by_its_digest(program: Path) -> None:
    image = "registry.example/serinus@sha256:" + "0" * 64
    settings = (
        "image.repository=registry.example/serinus",
        "image.digest=sha256:" + "0" * 64,
        "dashboard.enabled=true",
    )
    found = rendered(program, "shop", *settings)
    assert found == installed("shop", image=image) | by_name(dashboard("shop", image, Dashboard()))


def test_the_chart_has_no_fault_that_helm_knows_of(program: Path, tmp_path: Path) -> None:
    """With its own values, and with every part of it on."""
    (tmp_path / "all.yaml").write_text(
        "namespaced: true\ninstanceId: two\nserviceMonitor: {enabled: true}\ndashboard: {enabled: true, replicas: 2,"
        " readOnly: true, proxy: {addresses: [10.0.0.1]}, oidc: {issuer: https://login.example.com}, groups: [dev],"
        " ingress: {className: nginx}, gateway: {name: front}, networkPolicy: {from: [{podSelector: {}}]}}\n"
    )
    for flags in ((), ("--values", str(tmp_path / "all.yaml"))):
        done = ran(program, "lint", "--strict", str(CHART), *flags)
        assert done.returncode == 0, done.stdout
        assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("replicas=two", "/replicas"),
        ("image.repositry=registry.example/serinus", "'repositry' not allowed"),
        ("dashboard.url=rollouts.example.com", "/dashboard/url"),
    ],
)
def test_helm_refuses_a_wrong_value_and_names_it(program: Path, setting: str, said: str) -> None:
    done = ran(program, "template", "serinus", str(CHART), "--set", setting)
    assert done.returncode == 1
    assert said in done.stderr


def test_the_package_of_a_release_is_that_of_helm_and_renders_the_chart(program: Path, tmp_path: Path) -> None:
    """`make release` packs the chart without helm, so that its bytes do not depend on the time."""
    done = ran(program, "package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    by_helm, ours = tmp_path / f"serinus-{__version__}.tgz", tmp_path / f"serinus-chart-{__version__}.tgz"
    runpy.run_path(str(REPOSITORY / "tools" / "release.py"))["package_chart"](tmp_path, __version__, 0)
    with tarfile.open(by_helm) as one, tarfile.open(ours) as other:
        assert sorted(one.getnames()) == sorted(other.getnames())
    assert rendered(program, "shop", chart=ours) == rendered(program, "shop")


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


def test_helm_upgrades_the_chart_of_the_version_before(
    cluster: Cluster, there: ClusterInstance, program: Path, tmp_path: Path
) -> None:
    """No object is made again: the Deployment, the account and the roles are those of the first installation."""
    kinds = "deployment,serviceaccount,poddisruptionbudget,service"

    def helm(*words: str) -> None:
        homes = {f"HELM_{kind}_HOME": str(tmp_path / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        settings = ["--set", "replicas=0,instanceId=third", "-n", there.namespace]
        command = [str(program), *words, *settings, "--kubeconfig", str(cluster.plane.kubeconfig())]
        done = subprocess.run(
            command, env={**os.environ, **homes}, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr

    def identities() -> set[str]:
        printed = "-o jsonpath='{range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{\"\\n\"}{end}'"
        return set(there.shell(f"kubectl get {kinds} -l app.kubernetes.io/name=argo-rollouts {printed}").splitlines())

    helm("install", "third", str(previous_chart(tmp_path / "previous")), "--skip-crds")
    try:
        before = identities()
        assert before
        helm("upgrade", "third", str(CHART))
        assert identities() >= before
        container = there.get("deployment", "argo-rollouts")["spec"]["template"]["spec"]["containers"][0]
        assert container["image"] == default_image()
    finally:
        there.shell("kubectl delete clusterrole,clusterrolebinding argo-rollouts-third", check=False)


@pytest.mark.parametrize(
    "source",
    ["serinus install", "serinus install --dashboard", "serinus install --namespaced", "kubectl kustomize install"],
)
def test_a_real_api_server_takes_all_that_is_printed(there: ClusterInstance, source: str) -> None:
    """The Deployment as well, which does not run here."""
    said = there.shell(f"{source} | kubectl apply --server-side --force-conflicts --dry-run=server -f -", REPOSITORY)
    assert "deployment.apps/argo-rollouts serverside-applied" in said
