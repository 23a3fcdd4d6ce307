"""Every rule with its whole message: dashboards and scripts search for these texts.

Source: the Rollout resource, section 5; traffic routing, section 11. Cases of `test_validation.py` are not repeated.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.network import Ingress
from serinus.api.rollout import Rollout
from serinus.api.validation.rollout import validate
from serinus.engine.strategy.spec_rules import RULES

Json = dict[str, Any]
TEMPLATE: Json = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "argoproj/rollouts-demo:blue"}]},
}
SERVICES: Json = {"canaryService": "web-canary", "stableService": "web"}


def said(strategy: Json, **given: Any) -> str | None:
    spec_given, lookups = given.pop("spec", {}), given
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE, "strategy": strategy, **spec_given}
    obj = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    found = validate(msgspec.json.decode(msgspec.json.encode(obj), type=Rollout), rules=RULES, **lookups)
    return found and found.message


def routed(routing: Json, *steps: Json, **canary: Any) -> Json:
    return {"canary": {**SERVICES, "trafficRouting": routing, "steps": list(steps), **canary}}


_PLAIN_SPEC: list[tuple[Json, str]] = [
    ({"minReadySeconds": -1}, "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"),
    (
        {"progressDeadlineSeconds": -5},
        "spec.progressDeadlineSeconds: Invalid value: -5: must be greater than or equal to 0",
    ),
    ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0"),
    (
        {"progressDeadlineSeconds": 10, "minReadySeconds": 10},
        "spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds",
    ),
    (
        {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}},
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    (
        {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "activeDeadlineSeconds": 5}}},
        "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported",
    ),
    (
        {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "overhead": {"cpu": "lots"}}}},
        "spec.template.spec.overhead[cpu]: Invalid value: \"lots\": 'lots' is no quantity: "
        "write a number and perhaps a suffix: 500m, 2, 1.5, 1Gi",
    ),
    (
        {
            "template": {
                **TEMPLATE,
                "spec": {**TEMPLATE["spec"], "volumes": [{"name": "a", "emptyDir": {"sizeLimit": "-1"}}]},
            }
        },
        'spec.template.spec.volumes[0].emptyDir.sizeLimit: Invalid value: "-1": must be greater than or equal to 0',
    ),
    (
        {
            "template": {
                **TEMPLATE,
                "spec": {"containers": [{"name": "web", "image": "a", "resources": {"limits": ["cpu"]}}]},
            }
        },
        'spec.template.spec.containers[0].resources.limits: Invalid value: ["cpu"]: must be a map',
    ),
]


@pytest.mark.parametrize(("spec", "text"), _PLAIN_SPEC)
def test_numbers_and_the_template(spec: Json, text: str):
    assert said({"canary": {}}, spec=spec) == text


_PATH = "spec.strategy"
_SAME = "This rollout uses the same service for the {} services, but two different services are required."
_EXACTLY = "AntiAffinity must have exactly one strategy listed"
_BOTH_AFFINITIES: Json = {
    "requiredDuringSchedulingIgnoredDuringExecution": {},
    "preferredDuringSchedulingIgnoredDuringExecution": {"weight": 1},
}


def _affinities(preferred: str, required: str) -> str:
    return (
        f'"antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: {preferred} '
        f'antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: {required}"'
    )


_WEIGHTLESS: Json = {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 101}}
_COUNT = "is neither a number of pods nor a percentage: write 3 or '25%'"
_STRATEGIES: list[tuple[Json, str]] = [
    (
        {},
        f"{_PATH}.strategy: Required value: Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
    ),
    (
        {"canary": {}, "blueGreen": {"activeService": "a"}},
        f'{_PATH}.strategy: Invalid value: "blueGreen: true canary: true": Multiple Strategies can not be listed',
    ),
    (
        {"blueGreen": {"activeService": "a", "previewService": "a"}},
        f'{_PATH}.activeService: Invalid value: "a": {_SAME.format("active and preview")}',
    ),
    (
        {"blueGreen": {"activeService": "a", "scaleDownDelayRevisionLimit": 11}},
        f"{_PATH}.scaleDownDelayRevisionLimit: Invalid value: 11: "
        "This rollout's revision history limit can not be smaller than the rollout's scale down limit",
    ),
    (
        {"blueGreen": {"activeService": "a", "antiAffinity": {}}},
        f"{_PATH}.antiAffinity: Invalid value: {_affinities('false', 'false')}: {_EXACTLY}",
    ),
    (
        {"canary": {"antiAffinity": _BOTH_AFFINITIES}},
        f"{_PATH}.antiAffinity: Invalid value: {_affinities('true', 'true')}: {_EXACTLY}",
    ),
    (
        {"canary": {"antiAffinity": _WEIGHTLESS}},
        f"{_PATH}.antiAffinity.weight: Invalid value: 101: AntiAffinity weight must be between 1-100",
    ),
    (
        {"blueGreen": {"activeService": "a", "maxUnavailable": "some"}},
        f"{_PATH}.maxUnavailable: Invalid value: \"some\": 'some' {_COUNT}",
    ),
    ({"canary": {"maxSurge": "1.5"}}, f"{_PATH}.maxSurge: Invalid value: \"1.5\": '1.5' {_COUNT}"),
    (
        {"canary": {"maxUnavailable": -1}},
        f"{_PATH}.maxUnavailable: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        {"canary": {"maxSurge": 0, "maxUnavailable": "0"}},
        f"{_PATH}.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero",
    ),
    (
        {"canary": {"scaleDownDelaySeconds": 3}},
        f"{_PATH}.scaleDownDelaySeconds: Invalid value: 3: "
        "Canary scaleDownDelaySeconds can only be used with traffic routing",
    ),
    (
        {"canary": {"dynamicStableScale": True}},
        f"{_PATH}.dynamicStableScale: Invalid value: true: Canary dynamicStableScale can only be used with traffic routing",
    ),
    (
        {"canary": {"steps": [{"setCanaryScale": {"replicas": 1}}]}},
        f"{_PATH}.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set",
    ),
    (
        {"canary": {"steps": [{"pause": {"duration": -1}}]}},
        f"{_PATH}.steps[0].pause.duration: Invalid value: -1: Duration needs to be greater than 0",
    ),
]


@pytest.mark.parametrize(("strategy", "text"), _STRATEGIES)
def test_strategies(strategy: Json, text: str):
    assert said(strategy) == text


_NGINX: Json = {"nginx": {"stableIngress": "web"}}
_ISTIO: Json = {"istio": {"virtualService": {"name": "web"}}, "managedRoutes": [{"name": "header"}]}
_ALB: Json = {"alb": {"ingress": "web"}, "managedRoutes": [{"name": "header"}]}
_PAIR: Json = {"pingService": "ping", "pongService": "pong"}
_BOTH = "Canary service and Stable service must to be set to use Traffic Routing"
_ONE_OF = "match value must have exactly one of the following: exact, regex, prefix"
_MISSED = "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
_UNKNOWN = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"


def _header(**value: str) -> Json:
    return {"setHeaderRoute": {"name": "header", "match": [{"headerName": "X", "headerValue": value}]}}


def _experiment(**template: Any) -> Json:
    return {"experiment": {"templates": [{"name": "a", "specRef": "canary", **template}]}}


_ROUTED: list[tuple[Json, str]] = [
    (routed(_NGINX, stableService=""), f'{_PATH}.stableService: Invalid value: "": {_BOTH}'),
    (
        routed(_NGINX, pingPong=_PAIR),
        f"{_PATH}.trafficRouting: Invalid value: null: "
        "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only",
    ),
    (
        routed(_ISTIO, pingPong={"pingService": "a"}),
        f'{_PATH}.pingPong.pongService: Invalid value: "": '
        "Ping service and Pong service must to be set to use Ping-Pong feature",
    ),
    (
        routed(_ISTIO, pingPong={"pingService": "a", "pongService": "a"}),
        f'{_PATH}.pingPong.pingService: Invalid value: "a": {_SAME.format("ping and pong")}',
    ),
    (
        routed({"traefik": {}, "maxTrafficWeight": 10}),
        f"{_PATH}.trafficRouting.maxTrafficWeight: Invalid value: 10: "
        "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins",
    ),
    (
        routed(_NGINX, dynamicStableScale=True, scaleDownDelaySeconds=1),
        f"{_PATH}.dynamicStableScale: Invalid value: true: "
        "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds",
    ),
    (
        routed(_NGINX, {"setMirrorRoute": {"name": "m"}}),
        f'{_PATH}.steps[0].setMirrorRoute: Invalid value: {{"name":"m"}}: '
        "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins",
    ),
    (
        routed({"istio": _ISTIO["istio"]}, _header(exact="a")),
        f"{_PATH}.trafficRouting.managedRoutes: Required value: "
        "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'",
    ),
    (
        routed(_ISTIO, {"setHeaderRoute": {"name": "other"}}),
        f'{_PATH}.steps[0].setHeaderRoute: Invalid value: "other": {_UNKNOWN}',
    ),
    (
        routed(_ISTIO, {"setMirrorRoute": {"name": "other"}}),
        f'{_PATH}.steps[0].setMirrorRoute: Invalid value: "other": {_UNKNOWN}',
    ),
    (
        routed(_ISTIO, _header(exact="a", prefix="b")),
        f'{_PATH}.steps[0].setHeaderRoute.match[0]: Invalid value: {{"exact":"a","prefix":"b"}}: StringMatch {_ONE_OF}',
    ),
    (
        routed(_ISTIO, _header()),
        f"{_PATH}.steps[0].setHeaderRoute.match[0]: Invalid value: {{}}: {_MISSED}",
    ),
    (
        routed(_ALB, _header(regex="a.*")),
        f'{_PATH}.steps[0].setHeaderRoute.match[0]: Invalid value: {{"regex":"a.*"}}: '
        "SetHeaderRoute match value invalid. ALB supports 'exact' value only",
    ),
    (
        {"canary": {"steps": [_experiment(weight=5)]}},
        f"{_PATH}.steps[0].experiment.templates[0].weight: Invalid value: 5: "
        "Experiment template weight cannot be set unless TrafficRouting is enabled",
    ),
    (
        routed(_NGINX, _experiment(weight=5)),
        f"{_PATH}.steps[0].experiment.templates[0].weight: Invalid value: 5: Experiment template weight is only "
        "available for TrafficRouting with SMI, ALB, Istio and Plugins at this time",
    ),
]


@pytest.mark.parametrize(("strategy", "text"), _ROUTED)
def test_traffic_routing(strategy: Json, text: str):
    assert said(strategy) == text


_ROUTING = f"{_PATH}.canary.trafficRouting"
_CHOICES: list[tuple[Json, str]] = [
    (
        {"nginx": {"stableIngress": "a", "stableIngresses": ["b"]}},
        f"{_ROUTING}.nginx: Internal error: Either StableIngress or StableIngresses must be configured. Both are configured.",
    ),
    (
        {"nginx": {}},
        f"{_ROUTING}.nginx: Internal error: Either StableIngress or StableIngresses must be configured. "
        "Neither are configured.",
    ),
    (
        {"nginx": {"stableIngresses": ["a", "b"]}},
        f'{_ROUTING}.nginx.stableIngresses: Invalid value: "a": ingress.networking.k8s.io "a" not found',
    ),
]


@pytest.mark.parametrize(("routing", "text"), _CHOICES)
def test_what_the_routers_name(routing: Json, text: str):
    there = msgspec.convert({"metadata": {"name": "there"}}, Ingress)
    assert said(routed(routing), ingresses={"there": there}, objects={}) == text


@pytest.mark.parametrize("field", ["metadata.annotations", "metadata.labels['app']", "status.phase", "spec.replicas"])
def test_arguments_may_be_taken_from_metadata_that_there_is(field: str):
    step = {"analysis": {"templates": [], "args": [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": field}}}]}}
    assert said({"canary": {"steps": [step]}}) is None


def test_arguments_from_metadata_that_there_is_not_are_refused():
    value = [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.color"}}}]
    shown = '[{"name":"x","valueFrom":{"fieldRef":{"fieldPath":"metadata.color"}}}]'
    text = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
    expected = f"{_PATH}.steps[0].analyses: Invalid value: {shown}: {text}"
    assert said({"canary": {"steps": [{"analysis": {"templates": [], "args": value}}]}}) == expected


_METADATA: list[tuple[str, Json, str]] = [
    (
        "labels",
        {"app": "web", "type": "x"},
        'Metadata.labels: Invalid value: "app": is a label of the Rollout\'s selector',
    ),
    ("labels", {"app": "other"}, 'Metadata.labels: Invalid value: "app": is a label of the Rollout\'s selector'),
    ("labels", {"tier": "x"}, 'Metadata.labels: Invalid value: "tier": is a label of the Rollout\'s selector'),
    (
        "labels",
        {"rollouts-pod-template-hash": "x"},
        'Metadata.labels: Invalid value: "rollouts-pod-template-hash": is a',
    ),
    ("labels", {"no spaces": "x"}, 'Metadata.labels: Invalid value: "no spaces": name part must consist of'),
    ("labels", {"a/b/c": "x"}, 'Metadata.labels: Invalid value: "a/b/c": a qualified name must consist of'),
    ("labels", {"x" * 64: "x"}, "name part must be no more than 63 characters"),
    ("labels", {"role": "ca nary"}, 'Metadata.labels: Invalid value: "ca nary": a valid label must be'),
    ("labels", {"role": "x" * 64}, "must be no more than 63 characters"),
    ("annotations", {"a/b/c": "x"}, 'Metadata.annotations: Invalid value: "a/b/c": a qualified name must consist of'),
    ("annotations", {"UPPER.example.com/a b": "x"}, "Metadata.annotations: Invalid value: "),
    ("annotations", {"a": "x" * 300_000}, "Metadata.annotations: Too long: may not be more than 262144 bytes"),
]


@pytest.mark.parametrize("role", ["canary", "stable", "preview", "active"])
@pytest.mark.parametrize(("part", "given", "text"), _METADATA)
def test_metadata_by_role_that_no_pod_may_carry(role: str, part: str, given: Json, text: str):
    """Known before anything is written: the API server would refuse the ReplicaSet or its pods when the role changes."""
    metadata = {f"{role}Metadata": {part: given}}
    blue_green = {"blueGreen": {"activeService": "web", **metadata}}
    strategy = {"canary": metadata} if role in ("canary", "stable") else blue_green
    tier = {"key": "tier", "operator": "NotIn", "values": ["db"]}
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [tier]}
    found = said(strategy, spec={"selector": selector})
    assert found is not None
    assert found.startswith(f"spec.strategy.{role}Metadata.")
    assert text in found


@pytest.mark.parametrize("role", ["canary", "stable", "preview", "active"])
def test_metadata_by_role_that_pods_may_carry(role: str):
    metadata = {
        f"{role}Metadata": {"labels": {"role": role, "example.com/r": ""}, "annotations": {"Ex.com/A": "any text"}}
    }
    blue_green = {"blueGreen": {"activeService": "web", **metadata}}
    assert said({"canary": metadata} if role in ("canary", "stable") else blue_green) is None


_ANNOTATIONS: list[tuple[Json, str, str]] = [
    (
        {"additionalIngressAnnotations": {"other.test/x": "1"}},
        "additionalIngressAnnotations",
        "nginx.ingress.kubernetes.io/other.test/x",
    ),
    ({"additionalIngressAnnotations": {"a b": "1"}}, "additionalIngressAnnotations", "nginx.ingress.kubernetes.io/a b"),
    ({"additionalIngressAnnotations": {"x" * 64: "1"}}, "additionalIngressAnnotations", "63 characters"),
    ({"canaryIngressAnnotations": {"a/b/c": "1"}}, "canaryIngressAnnotations", "a/b/c"),
    ({"annotationPrefix": "a/b"}, "annotationPrefix", "a/b/canary"),
    ({"annotationPrefix": "under_score"}, "annotationPrefix", "under_score/canary"),
]


@pytest.mark.parametrize(("part", "field", "named"), _ANNOTATIONS)
def test_annotations_that_no_canary_ingress_may_carry(part: Json, field: str, named: str):
    found = said(routed({"nginx": {"stableIngress": "web", **part}}))
    assert found is not None
    assert found.startswith(f"spec.strategy.trafficRouting.nginx.{field}: Invalid value: ")
    assert named in found


def test_annotations_that_canary_ingresses_may_carry():
    good = {"canary-by-header": "X", "nginx.ingress.kubernetes.io/canary-by-cookie": "c"}
    nginx = {
        "stableIngress": "web",
        "additionalIngressAnnotations": good,
        "canaryIngressAnnotations": {"other.test/x": "1"},
    }
    assert said(routed({"nginx": nginx})) is None
    assert said(routed({"nginx": {**nginx, "annotationPrefix": "custom.example.com"}})) is not None, (
        "its cookie has two prefixes"
    )
