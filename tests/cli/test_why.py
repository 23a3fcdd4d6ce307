"""`serinus why`: the engine's own reasons, from the API's objects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serinus.analysis.sequential.looks import Look
from serinus.api.rollout import Pause
from serinus.cli.rollouts.why import told
from serinus.engine.explain.why import Why, WhyReason
from serinus.engine.strategy.steps.pause import pause_wait
from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Space, rollout
from tests.support.engine.kept_verdict import kept_verdict

Json = dict[str, Any]
NGINX: Json = {
    "strategy": {
        "canary": {
            "canaryService": "web-canary",
            "stableService": "web",
            "trafficRouting": {"nginx": {"stableIngress": "web"}},
            "steps": [{"setWeight": 20}, {"pause": {}}],
        }
    }
}

SEEN: Json = {"observedGeneration": "1"}
"""So that a missing object is not reported as one that is about to appear."""


def test_an_object_that_is_missing_is_named_with_what_releases_it(space: Space) -> None:
    space.put(rollout(spec=NGINX, status=SEEN))
    result = space.run("why", "web")
    assert result.code == 0
    assert 'spec.strategy.canary.stableService: Invalid value: "web": service "web" not found' in result.out
    assert "Rule:      InvalidSpec: the spec, or an object that it names, is not valid" in result.out
    assert "Released:  when the spec or the object is corrected" in result.out


def test_without_a_controller_it_says_what_one_would_do(space: Space) -> None:
    space.put(rollout(status={"phase": ""}))
    out = space.run("why", "web").out
    assert "About to be done, if a controller works here:" in out
    assert "create ReplicaSet web-" in out


def test_programs_get_json(space: Space) -> None:
    space.put(rollout(spec=NGINX, status=SEEN))
    (reason,) = json.loads(space.run("why", "web", "-o", "json").out)["reasons"]
    assert (reason["code"], reason["ends"]) == ("InvalidSpec", "the spec or the object is corrected")


def test_a_misspelt_name_gets_the_one_that_was_meant(space: Space) -> None:
    space.put(rollout("guestbook"))
    result = space.run("why", "gestbook")
    assert result.code == 1
    assert "Did you mean guestbook?" in result.err


def test_a_router_that_is_a_plugin_is_named(space: Space) -> None:
    canary = {**NGINX["strategy"]["canary"], "trafficRouting": {"plugins": {"org/router": {"route": "web"}}}}
    for name in ("web", "web-canary"):
        ports = [{"port": 80}]
        space.put({"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports}})
    space.put(rollout(spec={"strategy": {"canary": canary}}))
    result = space.run("why", "web")
    assert (result.code, result.err) == (0, "")
    assert "trafficRouting.plugins.org/router: this version of Serinus has no such router" in result.out


CHECKED: Json = {
    "strategy": {"canary": {"analysis": {"templates": [{"templateName": "check"}]}, "steps": [{"pause": {}}]}}
}
METRIC: Json = {
    "name": "success-rate",
    "provider": {"job": {"spec": {"template": {}}}},
    "successCondition": "result[0] >= {{args.least}}",
    "failureLimit": 1,
}


def test_the_metric_the_value_and_the_limit_that_decided_are_named(space: Space) -> None:
    space.put({"kind": "AnalysisTemplate", "metadata": {"name": "check"}, "spec": {"metrics": [METRIC], "args": ARGS}})
    made = space.put(rollout(spec=CHECKED, status={"phase": "Degraded", "abort": True, "currentPodHash": "h2"}))
    meta = {"labels": {"app": "web", "rollouts-pod-template-hash": "h2"}, "ownerReferences": [owner(made)]}
    template = {"metadata": {"labels": meta["labels"]}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    selector = {"matchLabels": meta["labels"]}
    spec = {"replicas": 1, "selector": selector, "template": template}
    space.put({"kind": "ReplicaSet", "metadata": {"name": "web-h2", **meta}, "spec": spec})
    values = [{"phase": "Failed", "value": "[0.5]"}, {"phase": "Failed", "value": "[0.42]"}]
    result = {"name": "success-rate", "phase": "Failed", "failed": 2, "measurements": values}
    space.put(
        {
            "kind": "AnalysisRun",
            "metadata": {"name": "web-h2-2", **meta},
            "spec": {"metrics": [METRIC], "args": [{"name": "least", "value": "0.95"}]},
            "status": {"phase": "Failed", "metricResults": [result]},
        }
    )
    line = "success-rate of web-h2-2: 0.42, succeeds if result[0] >= 0.95 (Failed: 2 failed, 1 allowed)"
    assert f"Decided:   {line}\n" in space.run("why", "web").out
    (metric,) = json.loads(space.run("why", "web", "-o", "json").out)["metrics"]
    assert (metric["newest"], metric["lines"]) == ("0.42", [{"sign": ">=", "value": 0.95, "succeeds": True}])


def owner(made: Json) -> Json:
    about = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "controller": True}
    return {**about, "uid": made["metadata"]["uid"]}


def test_an_analysis_whose_template_is_there_is_no_reason_to_call_the_spec_invalid(space: Space) -> None:
    space.put({"kind": "AnalysisTemplate", "metadata": {"name": "check"}, "spec": {"metrics": [METRIC], "args": ARGS}})
    space.put(rollout(spec=CHECKED))
    assert "InvalidSpec" not in space.run("why", "web").out


ARGS: list[Json] = [{"name": "least", "value": "1"}]


def test_one_line_for_scripts_and_prompts(space: Space) -> None:
    space.put(rollout(spec=NGINX, status=SEEN))
    out = space.run("why", "web", "-o", "line").out
    assert out.startswith("waiting: The Rollout")
    assert out.count("\n") == 1


def test_an_output_that_there_is_not_is_refused(space: Space) -> None:
    space.put(rollout())
    result = space.run("why", "web", "-o", "yaml")
    assert result.code == 1
    assert 'invalid argument "yaml" for "-o, --output" flag: write one of json, line' in result.err


def test_what_may_not_be_seen_is_not_called_missing(space: Space) -> None:
    space.put(rollout(spec=NGINX, status={"phase": "Paused", "message": "x", "pauseConditions": PAUSED}))

    def refuse(request: Request) -> Response | None:
        if "/services" not in request.path:
            return None
        status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "services is forbidden"}
        return Response(403, json.dumps(status).encode())

    space.cluster.before = refuse
    try:
        result = space.run("why", "web")
    finally:
        space.cluster.before = lambda _: None
    assert "Rule:      PauseStep" in result.out
    assert "InvalidSpec" not in result.out
    assert "services is forbidden" in result.err


PAUSED: list[Json] = [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]


REASON = WhyReason("X", "the Service web is missing", "an object is missing", "it appears")


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("the Service web is missing", "web is Degraded"),
        ("InvalidSpec: the Service web is missing", "web is Degraded"),
        ("Service web", "web is Degraded"),
        ("CanaryPauseStep", "web is Degraded: CanaryPauseStep"),
        ("", "web is Degraded"),
    ],
)
def test_no_sentence_is_told_twice(message: str, first: str) -> None:
    """The status of an invalid or aborted Rollout has the sentence of its reason."""
    text = told("web", Why("Degraded", message, (REASON,)), 0.0)
    assert text.splitlines()[0] == first
    assert text.count("the Service web is missing") == 1


@pytest.mark.parametrize(
    ("duration", "words"),
    [(2, "pauses for 2s"), ("2", "pauses for 2s"), ("1m", "pauses for 1m"), ("1h30m", "pauses for 1h30m")],
)
def test_a_pause_has_its_unit(duration: int | str, words: str) -> None:
    assert pause_wait(Pause(duration), 1, 3, None).message == f"step 2 of 3 {words}"


def test_steps_that_are_too_short_for_a_verdict_are_reported(space: Space) -> None:
    put_verdict(space)
    line = "Too short: step 2 lasts 5m at weight 10; metric errors finds a threefold error rate within it in 20% of releases"
    assert line in space.run("why", "web").out
    (step,) = json.loads(space.run("why", "web", "-o", "json").out)["shortSteps"]
    assert "48m give 95%" in step


def put_verdict(space: Space) -> None:
    """A Rollout whose second step is too short for the sequential verdict of its background analysis."""
    metric, _ = kept_verdict([], expected={"requests": 200, "rate": 0.01})
    space.put({"kind": "AnalysisTemplate", "metadata": {"name": "check"}, "spec": {"metrics": [metric]}})
    analysis = {"templates": [{"templateName": "check"}]}
    steps = [{"setWeight": 10}, {"pause": {"duration": "5m"}}]
    space.put(rollout(spec={"strategy": {"canary": {"steps": steps, "analysis": analysis}}}))


def test_doctor_warns_of_short_steps_and_does_not_fail(space: Space) -> None:
    put_verdict(space)
    out = space.run("doctor").out
    assert "⚠ rollout web: step 2 lasts 5m at weight 10; metric errors finds" in out
    assert "  Plan its steps with: serinus verdict plan --help" in out


def test_get_rollout_shows_where_the_verdict_stands(space: Space) -> None:
    made = space.put(rollout(status={"phase": "Progressing", "currentPodHash": "h2"}))
    asked, result = kept_verdict([Look(20, 2, 180, 2)])
    meta = {"labels": {"rollouts-pod-template-hash": "h2"}, "ownerReferences": [owner(made)]}
    space.put(
        {
            "kind": "AnalysisRun",
            "metadata": {"name": "web-h2-2", "annotations": {"rollout.argoproj.io/revision": "2"}, **meta},
            "spec": {"metrics": [asked]},
            "status": {"phase": "Running", "metricResults": [result]},
        }
    )
    assert "errors undecided, harm 5.2 of 20" in space.run("get", "rollout", "web").out
