"""Templates, arguments, validation: the results of users' specs (spec/analysis.md §1 and §7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.analysis.arguments import experiment_arguments, overridden, rollout_arguments
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.resolution import resolve
from serinus.analysis.templates import found_templates, run_spec
from serinus.analysis.templating import filled, with_arguments
from serinus.analysis.validation import check_for_rollout, check_metrics
from serinus.api.analysis import (
    AnalysisRunSpec,
    AnalysisTemplate,
    AnalysisTemplateSpec,
    Argument,
    DryRun,
    MeasurementRetention,
    Metric,
    RolloutAnalysis,
    TemplateRef,
)
from serinus.api.meta import ObjectMeta

WEB: dict[str, Any] = {"web": {"url": "http://x"}}


def template(name: str, **spec: Any) -> AnalysisTemplate:
    return AnalysisTemplate(ObjectMeta(name=name), msgspec.convert(spec, AnalysisTemplateSpec))


def by_name(*templates: AnalysisTemplate) -> dict[str, AnalysisTemplate]:
    return {t.metadata.name: t for t in templates}


def refs(*names: str, cluster: bool = False) -> list[TemplateRef]:
    return [TemplateRef(name, cluster) for name in names]


def metrics(*names: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": name, "provider": WEB, **fields} for name in names]


def told(problem: pytest.ExceptionInfo[AnalysisProblem]) -> str:
    return str(problem.value)


def test_references_are_followed_parents_first_namespaced_before_cluster_each_once() -> None:
    nested = [{"templateName": "c"}, {"templateName": "shared", "clusterScope": True}]
    own = by_name(
        template("a", templates=nested),
        template("b", templates=[{"templateName": "a"}]),
        template("c", templates=[{"templateName": "b"}]),
    )
    of_cluster = by_name(template("shared", templates=[{"templateName": "c"}]))
    found = found_templates([*refs("shared", cluster=True), *refs("b", "a")], own, of_cluster)
    assert [t.metadata.name for t in found] == ["c", "b", "a", "shared"]


@pytest.mark.parametrize(("cluster", "kind"), [(False, "AnalysisTemplate"), (True, "ClusterAnalysisTemplate")])
def test_a_missing_template_is_named(cluster: bool, kind: str) -> None:
    own = by_name(template("a", templates=[{"templateName": "gone", "clusterScope": cluster}]))
    with pytest.raises(AnalysisProblem, match=f"^{kind} 'gone' not found$") as problem:
        found_templates(refs("a"), own, {})
    assert problem.value.missing == (kind, "gone")


def test_a_run_gets_the_metrics_and_rules_of_all_its_templates() -> None:
    one = template("one", metrics=metrics("a"), dryRun=[{"metricName": "a"}], args=[{"name": "x", "value": "1"}])
    two = template("two", metrics=metrics("b", "c"), measurementRetention=[{"metricName": "c", "limit": 3}])
    spec = run_spec([one, two], [Argument("x", "2"), Argument("unknown", "3")], [DryRun("b")])
    assert [m.name for m in spec.metrics] == ["a", "b", "c"]
    assert [d.metric_name for d in spec.dry_run] == ["b", "a"]
    assert spec.measurement_retention == [MeasurementRetention("c", 3)]
    assert spec.args == [Argument("x", "2")]


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        ({"metrics": metrics("a")}, {"metrics": metrics("a")}, "two metrics have the same name 'a'"),
        (
            {"dryRun": [{"metricName": "a"}]},
            {"dryRun": [{"metricName": "a"}]},
            "two Dry-Run metric rules have the same name 'a'",
        ),
        (
            {"measurementRetention": [{"metricName": "a", "limit": 1}]},
            {"measurementRetention": [{"metricName": "a", "limit": 1}]},
            "two Measurement Retention metric rules have the same name 'a'",
        ),
        (
            {"args": [{"name": "x", "value": "1"}]},
            {"args": [{"name": "x", "value": "2"}]},
            "Argument `x` specified multiple times with different values: '1', '2'",
        ),
        (
            {"args": [{"name": "x"}]},
            {},
            "args.x was not resolved: template 'one' declares it without a value, and the analysis gives none",
        ),
    ],
)
def test_templates_that_clash_are_told(one: dict[str, Any], two: dict[str, Any], message: str) -> None:
    with pytest.raises(AnalysisProblem) as problem:
        run_spec([template("one", **one), template("two", **two)])
    assert told(problem) == message


def test_a_later_template_may_give_the_value_that_an_earlier_one_lacks() -> None:
    spec = run_spec([template("one", args=[{"name": "x"}]), template("two", args=[{"name": "x", "value": "2"}])])
    assert spec.args == [Argument("x", "2")]


def test_a_value_of_the_caller_wins_and_a_source_only_over_a_source() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    given = msgspec.convert({"name": "x", "valueFrom": source}, Argument)
    assert overridden([Argument("x", "1")], [Argument("x", "2")])[0].value == "2"
    (kept,) = overridden([Argument("x", "1")], [given])
    assert (kept.value, kept.value_from) == ("1", given.value_from)


ROLLOUT: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "ns", "uid": "u", "labels": {"b": "2", "a.b/c": "1"}},
    "spec": {"replicas": 1000000, "paused": True, "strategy": {"canary": {"steps": [{"setWeight": 20}]}}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.labels['a.b/c']", "1"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", 'a.b/c="1"\nb="2"'),
        ("spec.replicas", "1e+06"),
        ("spec.paused", "true"),
        ("spec.strategy.canary.steps[0].setWeight", "20"),
    ],
)
def test_fields_of_a_rollout_become_arguments(path: str, value: str) -> None:
    arg = msgspec.convert({"name": "x", "valueFrom": {"fieldRef": {"fieldPath": path}}}, Argument)
    assert rollout_arguments([arg], ROLLOUT, latest="n", stable="s") == [Argument("x", value)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("metadata.generation", "unsupported fieldPath: metadata.generation"),
        ("spec.strategy.canary.steps[x]", "invalid index 'x'"),
        ("spec.strategy.canary.steps[3]", "index 3 out of range"),
        ("spec.nothing", "invalid path spec.nothing in rollout"),
        ("spec.strategy", "path spec.strategy in rollout must terminate in a primitive value"),
    ],
)
def test_fields_that_are_not_there_are_told(path: str, message: str) -> None:
    arg = msgspec.convert({"name": "x", "valueFrom": {"fieldRef": {"fieldPath": path}}}, Argument)
    with pytest.raises(AnalysisProblem) as problem:
        rollout_arguments([arg], ROLLOUT, latest="n", stable="s")
    assert told(problem) == f"args.x: {message}"


@pytest.mark.parametrize(("which", "value"), [("Latest", "new"), ("Stable", "old")])
def test_hashes_become_arguments(which: str, value: str) -> None:
    arg = msgspec.convert({"name": "h", "valueFrom": {"podTemplateHashValue": which}}, Argument)
    assert rollout_arguments([arg], ROLLOUT, latest="new", stable="old") == [Argument("h", value)]


def test_arguments_are_filled_in_everywhere_whatever_they_hold() -> None:
    metric = msgspec.convert(
        {
            "name": "m-{{args.name}}",
            "count": "{{ args.n }}",
            "successCondition": "result == '{{args.name}}'",
            "provider": {"job": {"spec": {"env": [{"{{args.name}}": '{{args.a-b.c}}"\n'}], "n": 3}}},
        },
        Metric,
    )
    done = with_arguments(metric, {"name": "x", "n": "5", "a-b.c": 'quote" and \n line \x01'})
    assert (done.name, done.count, done.success_condition) == ("m-x", "5", "result == 'x'")
    assert done.provider["job"]["spec"] == {"env": [{"x": 'quote" and \n line \x01"\n'}], "n": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{args.none}}", "failed to resolve {{args.none}}"),
        ("{{ args.x | upper }}", "failed to resolve {{ args.x | upper }}"),
        ("{{args.x", "cannot find end tag=\"}}\" in the template '{{args.x'"),
    ],
)
def test_arguments_that_are_not_there_are_told(text: str, message: str) -> None:
    with pytest.raises(AnalysisProblem) as problem:
        with_arguments(Metric(success_condition=text), {"x": "1"})
    assert told(problem) == message


def test_a_metric_that_nests_too_deep_names_itself_instead_of_exhausting_the_stack() -> None:
    spec: Any = {"name": "{{args.x}}"}
    for _ in range(300):
        spec = {"template": spec}
    metric = msgspec.convert({"name": "deep", "provider": {"job": {"spec": spec}}}, Metric)
    with pytest.raises(AnalysisProblem, match="metric 'deep': it is nested more than 128 levels deep"):
        with_arguments(metric, {"x": "1"})


def test_a_value_is_not_looked_into_for_more_tags() -> None:
    assert filled("{{args.a}}", {"args.a": "{{args.b}}", "args.b": "1"}.get) == "{{args.b}}"


def run(**spec: Any) -> AnalysisRunSpec:
    return msgspec.convert({"metrics": metrics("a", "ab"), **spec}, AnalysisRunSpec)


SECRET: dict[str, Any] = {"name": "t", "value": "v", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}


@pytest.mark.parametrize(
    ("spec", "secrets", "message"),
    [
        ({"args": [{"name": "x"}]}, {}, 'Unable to resolve metric arguments: argument "x" was not supplied'),
        (
            {"args": [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            {},
            'Unable to resolve metric arguments: argument "x" was not supplied',
        ),
        ({"args": [SECRET]}, {"s": None}, 'Unable to resolve metric arguments: secrets "s" not found (argument "t")'),
        (
            {"args": [SECRET]},
            {"s": {"other": ""}},
            "Unable to resolve metric arguments: key 'k' does not exist in secret 's' (argument \"t\")",
        ),
        (
            {"metrics": metrics("a", successCondition="{{args.y}}")},
            {},
            "Unable to resolve metric arguments: failed to resolve {{args.y}}",
        ),
        (
            {"metrics": metrics("a", count=2)},
            {},
            "Analysis spec invalid: metrics[0]: interval must be specified when count > 1",
        ),
        (
            {"dryRun": [{"metricName": "*"}]},
            {},
            "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)",
        ),
        (
            {"measurementRetention": [{"metricName": "a", "limit": 1}, {"metricName": "^b", "limit": 1}]},
            {},
            "Analysis spec invalid: measurementRetention[1]: Rule didn't match any metric name(s)",
        ),
    ],
)
def test_a_run_that_cannot_be_carried_out_says_why(spec: dict[str, Any], secrets: dict[str, Any], message: str) -> None:
    with pytest.raises(AnalysisProblem) as problem:
        resolve(run(**spec), secrets)
    assert told(problem) == message


def test_a_secret_wins_over_a_value_and_never_gets_into_a_message() -> None:
    spec = run(args=[SECRET], metrics=metrics("a", successCondition="result == '{{args.t}}'"))
    resolved = resolve(spec, {"s": {"k": "s3cret"}})
    assert resolved.metrics[0].metric.success_condition == "result == 's3cret'"
    assert resolved.secrets == ("s3cret",)
    with pytest.raises(AnalysisProblem, match="temp-for-secret"):
        resolve(run(args=[SECRET], metrics=metrics("a", interval="{{args.t}}")), {"s": {"k": "s3cret"}})


def test_rules_find_metrics_by_unanchored_patterns() -> None:
    rules = {"dryRun": [{"metricName": "b$"}], "measurementRetention": [{"metricName": ".", "limit": 2}]}
    resolved = resolve(run(**rules), {})
    assert [(m.name, m.dry_run, m.kept) for m in resolved.metrics] == [("a", False, 2), ("ab", True, 2)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"consecutiveSuccessLimit": -1}, "consecutiveSuccessLimit must be >= 0"),
        ({"failureLimit": -2}, "failureLimit must be >= 0, or -1 to be disabled"),
        ({"failureLimit": -1}, "failureLimit and consecutiveSuccessLimit cannot both be disabled"),
        ({"inconclusiveLimit": "-1"}, "inconclusiveLimit must be >= 0"),
        ({"consecutiveErrorLimit": -1}, "consecutiveErrorLimit must be >= 0"),
        (
            {"count": 2, "failureLimit": 1, "consecutiveSuccessLimit": 2, "interval": "1s"},
            "count (2) must be >= failureLimit + consecutiveSuccessLimit (1 + 2) if both >= 0",
        ),
        (
            {"count": 1, "failureLimit": -1, "consecutiveSuccessLimit": 2},
            "count must be >= consecutiveSuccessLimit",
        ),
        ({"count": 1, "inconclusiveLimit": 2}, "count must be >= inconclusiveLimit"),
        ({"count": "2"}, "interval must be specified when count > 1"),
        ({"interval": "30"}, "invalid interval string: '30' is no duration"),
        ({"initialDelay": "x"}, "invalid startDelay string: 'x' is no duration"),
        ({"provider": {}}, "no provider specified"),
        ({"provider": {"web": {}, "job": {}}}, "multiple providers specified"),
    ],
)
def test_metrics_that_make_no_sense_are_told(fields: dict[str, Any], message: str) -> None:
    metric = msgspec.convert({"name": "a", "provider": WEB, **fields}, Metric)
    with pytest.raises(AnalysisProblem) as problem:
        check_metrics([Metric("other", WEB), metric])
    assert told(problem).startswith(f"metrics[1]: {message}")


def test_no_metrics_and_equal_names_are_told() -> None:
    with pytest.raises(AnalysisProblem, match=r"^no metrics specified$"):
        check_metrics([])
    with pytest.raises(AnalysisProblem, match=r"^metrics\[1\]: duplicate name 'a'$"):
        check_metrics([Metric("a", WEB), Metric("a", WEB)])


def asked(*names: str, **args: str) -> RolloutAnalysis:
    return RolloutAnalysis(templates=refs(*names), args=[Argument(name, value) for name, value in args.items()])


def test_a_step_needs_an_analysis_that_ends() -> None:
    known = by_name(
        template("endless", metrics=metrics("m", interval="1m")),
        template("counted", metrics=metrics("m", interval="1m", count="{{args.n}}"), args=[{"name": "n"}]),
        template("both", args=[{"name": "x", "value": "1", "valueFrom": {}}]),
        template("once", metrics=metrics("m")),
    )
    check_for_rollout(asked("endless"), known, {}, background=True)
    check_for_rollout(asked("once"), known, {}, background=False)
    assert check_for_rollout(asked("counted", n="3"), known, {}, background=False).args == [Argument("n", "3")]
    said = "AnalysisTemplate endless has metric m which runs indefinitely. Invalid value for count: <nil>"
    with pytest.raises(AnalysisProblem) as problem:
        check_for_rollout(asked("endless"), known, {}, background=False)
    assert told(problem) == said
    with pytest.raises(AnalysisProblem, match=r"Invalid value for count: \{\{args.n\}\}"):
        check_for_rollout(asked("counted", n="many"), known, {}, background=False)
    with pytest.raises(AnalysisProblem, match="has both Value and ValueFrom fields"):
        check_for_rollout(asked("both"), known, {}, background=False)
    with pytest.raises(AnalysisProblem, match="AnalysisTemplate 'gone' not found"):
        check_for_rollout(asked("gone"), known, {}, background=True)


def test_what_only_a_rollout_gives_is_taken_on_trust() -> None:
    known = by_name(template("t", metrics=metrics("m", successCondition="'{{args.h}}'"), args=[{"name": "h"}]))
    latest = msgspec.convert({"name": "h", "valueFrom": {"podTemplateHashValue": "Latest"}}, Argument)
    check_for_rollout(RolloutAnalysis(templates=refs("t"), args=[latest]), known, {}, background=False)


def test_an_experiments_arguments_know_its_templates_and_times() -> None:
    text = "{{templates.a.podTemplateHash}} {{templates.b.replicaset.name}} {{experiment.availableAt}}"
    given = [Argument("x", text), msgspec.convert({"name": "y", "valueFrom": {}}, Argument), Argument("z", "1")]
    templates = {"a": ("h1", "exp-a"), "b": ("h2", "exp-b")}
    found = experiment_arguments(given, templates, available_at="2026-01-01T00:00:00Z")
    assert found == [Argument("x", "h1 exp-b 2026-01-01T00:00:00Z"), Argument("y"), Argument("z", "1")]
    for tag in (
        "{{templates.c.podTemplateHash}}",
        "{{ templates.a.name }}",
        "{{experiment.finishedAt}}",
        "{{experiment.x}}",
    ):
        with pytest.raises(AnalysisProblem) as problem:
            experiment_arguments([Argument("x", tag)], templates, available_at="2026-01-01T00:00:00Z")
        assert told(problem) == f"args.x: failed to resolve {tag}"
