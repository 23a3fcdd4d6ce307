"""`serinus controller`: its errors in an environment that it cannot work with."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus import __version__
from serinus.cli.controller import JOB_KUBECONFIG
from tests.support.cli.own_command import invoke


@pytest.mark.parametrize(
    ("value", "why"),
    [("/nowhere/kubeconfig", "/nowhere/kubeconfig"), ("in-cluster", "$KUBERNETES_SERVICE_HOST is not set")],
)
def test_another_cluster_for_jobs_that_cannot_be_found_ends_it_with_the_variable(
    tmp_path: Path, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n"
    )
    monkeypatch.setenv(JOB_KUBECONFIG, value)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    done = invoke("controller", "--kubeconfig", str(kubeconfig))
    assert done.exit_code == 1
    assert f"Error: ${JOB_KUBECONFIG}: " in done.output
    assert why in done.output


FLAGS = """
--rollout-resync=900 --namespaced --instance-id=x --loglevel=info --logformat=text --kloglevel=0 --metricsPort=8090 --metricsport=8090
--healthzPort=8080 --qps=40 --burst=80 --rollout-threads=10 --experiment-threads=10 --service-threads=10 --ingress-threads=10
--ephemeral-metadata-threads=10 --analysis-threads=30 --ephemeral-metadata-update-pod-retries=3 --aws-verify-target-group
--alb-verify-weight=false --aws-target-group-binding-api-version=elbv2.k8s.aws/v1beta1 --alb-tag-key-resource-id=ingress.k8s.aws/resource
--istio-api-version=v1alpha3 --ambassador-api-version=getambassador.io/v2 --traffic-split-api-version=v1alpha1
--traefik-api-group=traefik.io --traefik-api-version=traefik.io/v1alpha1 --appmesh-crd-version=v1beta2
--ingress-api-version=networking/v1 --alb-ingress-classes=alb --alb-ingress-classes=other --nginx-ingress-classes=nginx
--leader-elect=true --leader-election-lease-duration=15s --leader-election-renew-deadline=10s --leader-election-retry-period=2s
--self-service-notification-enabled --controllers=analysis --enable-pprof-address=:8888
"""
"""Those of `rollouts-controller` (the CLI spec, section 5)."""


def test_a_manifest_of_the_reference_need_not_change_its_flags() -> None:
    done = invoke("controller", *FLAGS.split(), "--kubeconfig", "/nowhere")
    assert "the kubeconfig /nowhere does not exist" in done.output, "all of them are known"


def test_it_says_its_version() -> None:
    done = invoke("controller", "--version")
    assert (done.exit_code, done.output) == (0, f"rollouts-controller: v{__version__}+serinus\n")


def test_a_rate_that_is_none_is_refused() -> None:
    done = invoke("controller", "--server", "http://127.0.0.1:1", "--qps=-1")
    assert done.exit_code == 2
    assert "--qps" in done.output
