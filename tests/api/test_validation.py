from typing import Any

import msgspec
import pytest

from serinus.api.network import Ingress, Service
from serinus.api.rollout import Rollout
from serinus.api.validation.rollout import Finding, invalid_spec_message, validate, validate_all
from serinus.api.workloads import Workload
from serinus.engine.strategy.spec_rules import RULES

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "containers": [{"name": "web", "image": "argoproj/rollouts-demo:blue", "ports": [{"containerPort": 8080}]}]
    },
}
NGINX: dict[str, Any] = {
    "canaryService": "web-canary",
    "stableService": "web",
    "trafficRouting": {"nginx": {"stableIngress": "web"}},
}


def rollout(strategy: dict[str, Any], **spec: Any) -> Rollout:
    full = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE, "strategy": strategy, **spec}
    return msgspec.convert({"metadata": {"name": "web", "namespace": "shop"}, "spec": full}, Rollout)


def canary(**changes: Any) -> Rollout:
    return rollout({"canary": {**NGINX, **changes}})


def service(name: str, selector: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> Service:
    body = {
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"selector": selector or {"app": "web"}},
    }
    return msgspec.convert(body, Service)


def ingress(name: str, backend: str) -> Ingress:
    rule = {"http": {"paths": [{"backend": {"service": {"name": backend}}}]}}
    return msgspec.convert({"metadata": {"name": name}, "spec": {"rules": [rule, {"host": "bare"}]}}, Ingress)


SERVICES = {"web": service("web"), "web-canary": service("web-canary")}
INGRESSES = {"web": ingress("web", "web")}


def said(subject: Rollout, **given: Any) -> str | None:
    found = validate(subject, rules=RULES, **given)
    return found and found.message


def test_a_rollout_in_order_has_no_finding():
    assert (
        validate(canary(steps=[{"setWeight": 20}, {"pause": {}}]), services=SERVICES, ingresses=INGRESSES, rules=RULES)
        is None
    )
    assert validate_all(canary(), services=SERVICES, ingresses=INGRESSES, rules=RULES) == []


_SAME = (
    "This rollout uses the same service for the stable and canary services, but two different services are required."
)
_STEP = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"canaryService": "web"}, f'spec.strategy.stableService: Invalid value: "web": {_SAME}'),
        (
            {"steps": [{"setWeight": 120}]},
            "spec.strategy.steps[0].setWeight: Invalid value: 120: SetWeight needs to be between 0 and 100",
        ),
        (
            {"steps": [{"setWeight": 20, "pause": {}}]},
            'spec.strategy.steps[0]: Invalid value: "step.Experiment: false step.Pause: true step.SetWeight: true '
            f'step.Analysis: false": {_STEP}',
        ),
        (
            {"steps": [{"pause": {"duration": "3 days"}}]},
            "spec.strategy.steps[0].pause.duration: Invalid value: -1: Duration needs to be greater than 0",
        ),
        (
            {"steps": [{"setWeight": 20}, {"setWeight": -1}]},
            "spec.strategy.steps[1].setWeight: Invalid value: -1: SetWeight needs to be between 0 and 100",
        ),
    ],
)
def test_recorded_mistakes_are_told_in_the_recorded_words(changes: dict[str, Any], text: str):
    """Argo Rollouts' message on a real cluster; the referenced objects are not read."""
    assert said(canary(**changes), services={}, ingresses={}) == text


def test_the_condition_names_the_rollout():
    text = 'The Rollout "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    assert invalid_spec_message("web", Finding("spec.replicas", text.partition("invalid: ")[2])) == text
    assert said(rollout({"canary": {}}, replicas=-1)) == text.partition("invalid: ")[2]


@pytest.mark.parametrize(
    ("services", "ingresses", "text", "missing"),
    [
        ({}, {}, 'canary.stableService: Invalid value: "web": service "web" not found', ("Service", "web")),
        (
            {"web": SERVICES["web"]},
            {},
            'canary.canaryService: Invalid value: "web-canary": service "web-canary" not found',
            ("Service", "web-canary"),
        ),
        (
            SERVICES,
            {},
            'canary.trafficRouting.nginx.stableIngress: Invalid value: "web": '
            'ingress.networking.k8s.io "web" not found',
            ("Ingress", "web"),
        ),
        (
            SERVICES,
            {"web": ingress("web", "other")},
            'canary.trafficRouting.nginx.stableIngress: Invalid value: "web": '
            "ingress `web` has no rules using service web backend",
            None,
        ),
        (
            {**SERVICES, "web": service("web", {"app": "other"})},
            INGRESSES,
            'canary.stableService: Invalid value: "web": Service "web" has unmatch label "app" in rollout',
            None,
        ),
        (
            {**SERVICES, "web": service("web", annotations={"argo-rollouts.argoproj.io/managed-by-rollouts": "shop"})},
            INGRESSES,
            'canary.stableService: Invalid value: "web": Service "web" is managed by another Rollout: shop '
            "(annotation argo-rollouts.argoproj.io/managed-by-rollouts)",
            None,
        ),
    ],
)
def test_an_object_that_is_missing_or_unfit_is_named(
    services: dict[str, Service], ingresses: dict[str, Ingress], text: str, missing: tuple[str, str] | None
):
    found = validate(canary(), services=services, ingresses=ingresses, rules=RULES)
    assert found == Finding(found.path if found else "", f"spec.strategy.{text}", missing)


def test_a_service_may_select_the_hash_and_the_metadata_of_its_role():
    """The controller itself writes the hash; the role's labels are put on the pods at run time."""
    chosen = {"app": "web", "rollouts-pod-template-hash": "7dc666b946", "role": "canary"}
    services = {**SERVICES, "web-canary": service("web-canary", chosen)}
    assert said(canary(canaryMetadata={"labels": {"role": "canary"}}), services=services, ingresses=INGRESSES) is None
    assert "role" in str(said(canary(), services=services, ingresses=INGRESSES))


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ({}, "Required value: Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"),
        ({"canary": {}, "blueGreen": {"activeService": "a"}}, "Multiple Strategies can not be listed"),
        ({"blueGreen": {"activeService": "a", "previewService": "a"}}, "active and preview services"),
        ({"blueGreen": {"activeService": "a", "scaleDownDelayRevisionLimit": 11}}, "revision history limit"),
        (
            {"blueGreen": {"activeService": "a", "antiAffinity": {}}},
            "AntiAffinity must have exactly one strategy listed",
        ),
        ({"canary": {"maxSurge": 0, "maxUnavailable": "0%"}}, "MaxSurge and MaxUnavailable both can not be zero"),
        ({"canary": {"scaleDownDelaySeconds": 3}}, "can only be used with traffic routing"),
        ({"canary": {"steps": [{}]}}, _STEP),
        (
            {"canary": {"steps": [{"setCanaryScale": {"weight": 1}}]}},
            "SetCanaryScale requires TrafficRouting to be set",
        ),
        ({"canary": {"trafficRouting": {"nginx": {"stableIngress": "a"}}}}, "must to be set to use Traffic Routing"),
        (
            {"canary": {**NGINX, "dynamicStableScale": True, "scaleDownDelaySeconds": 1}},
            "cannot be used with scaleDownDelaySeconds",
        ),
        ({"canary": {**NGINX, "steps": [{"setHeaderRoute": {"name": "a"}}]}}, "SetHeaderRoute requires TrafficRouting"),
        (
            {"canary": {**NGINX, "trafficRouting": {"traefik": {}, "maxTrafficWeight": 10}}},
            "only supported in Nginx and Plugins",
        ),
    ],
)
def test_a_strategy_that_cannot_work_is_refused(strategy: dict[str, Any], text: str):
    assert text in str(said(rollout(strategy)))


def test_a_larger_total_weight_moves_the_limit_of_steps():
    routing = {"nginx": {"stableIngress": "web"}, "maxTrafficWeight": 1000}
    assert said(canary(trafficRouting=routing, steps=[{"setWeight": 999}])) is None
    assert "between 0 and 1000" in str(said(canary(trafficRouting=routing, steps=[{"setWeight": 1001}])))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"selector": None}, "spec.selector: Required value: Rollout has missing field '.spec.selector'"),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        ({"selector": {"matchLabels": {"app": "x"}}}, "`selector` does not match template `labels`"),
        ({"selector": {"matchExpressions": [{"key": "app", "operator": "Is"}]}}, "not a valid selector operator"),
        (
            {"minReadySeconds": 700},
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
        ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit: Invalid value: -1"),
    ],
)
def test_a_spec_that_cannot_work_is_refused(spec: dict[str, Any], text: str):
    assert text in str(said(rollout({"canary": NGINX}, **spec)))


def test_a_workload_is_resolved_or_named():
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    borrowed = rollout({"canary": NGINX}, workloadRef=reference, template={}, selector=None)
    found = validate(borrowed, services=SERVICES, ingresses=INGRESSES)
    assert found == Finding("", 'deployments.apps "shop/web" not found', ("Deployment", "web"))
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
    there = msgspec.convert({"kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}, Workload)
    assert said(borrowed, services=SERVICES, ingresses=INGRESSES, workload=there) is None
    both = rollout({"canary": NGINX}, workloadRef=reference)
    assert said(both, workload=there) == "template must be empty for workload reference rollout"
    odd = rollout({"canary": NGINX}, workloadRef={**reference, "kind": "StatefulSet"}, template={})
    assert said(odd) == "workload of type apps/StatefulSet is not supported"


def test_an_absent_analysis_template_is_named():
    """Recorded on a real cluster, nested references included."""
    steps = [{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "check"}]}}]
    given: dict[str, Any] = {"services": SERVICES, "ingresses": INGRESSES}
    text = (
        "spec.strategy.canary.steps[1].analysis.templates: Invalid value: \"check\": AnalysisTemplate 'check' not found"
    )
    assert said(canary(steps=steps), objects={}, **given) == text
    nested = {"AnalysisTemplate/check": {"spec": {"templates": [{"templateName": "base", "clusterScope": True}]}}}
    assert "spec.templates: Invalid value: \"base\": ClusterAnalysisTemplate 'base'" in str(
        said(canary(steps=steps), objects=nested, **given)
    )


def test_lint_tells_everything_at_once():
    findings = validate_all(canary(steps=[{"setWeight": 120}, {}, {"pause": {"duration": -1}}]), rules=RULES)
    assert [finding.path for finding in findings] == [
        "spec.strategy.steps[0].setWeight",
        "spec.strategy.steps[1]",
        "spec.strategy.steps[2].pause.duration",
    ]
