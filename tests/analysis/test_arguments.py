"""Arguments of analyses: placeholders, the precedence of values, and validation after the values are filled in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.analysis.arguments import experiment_arguments
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.templating import with_arguments
from serinus.analysis.validation import check_for_rollout
from serinus.api.analysis import AnalysisTemplate, Argument, Metric, RolloutAnalysis

VALUES = {"x": "1", "service-name": "web", "a.b": "2", "under_score": "3", "empty": "", "braces": "{{ .Data }}"}

PLACEHOLDERS = [
    ("{{args.x}}", "1"),
    ("{{ args.x }}", "1"),
    ("{{  args.x\t}}", "1"),
    ("{{args.service-name}}.{{args.a.b}}.{{ args.under_score }}", "web.2.3"),
    ("[{{args.empty}}]", "[]"),
    ("{{args.x}}{{args.x}}", "11"),
    ('{"a":{"b":{{args.x}}}}', '{"a":{"b":1}}'),
    ("{{{args.x}}}", "{1}"),
    ("{{args.braces}}", "{{ .Data }}"),
    ('{{ with secret "{{args.x}}" }}{{ .Data }}{{ end }}', '{{ with secret "1" }}{{ .Data }}{{ end }}'),
]

FOREIGN = [
    "{{ end }}",
    '{{ with secret "a" }}{{ .Data }}{{ end }}',
    "{{- .Values.args.x -}}",
    "{{ .args.x }}",
    "{{ $labels.instance }} {{ $value }}",
    "{{pod}}",
    "{{inputs.parameters.x}}",
    "{{ inputs.x }}",
    "{{ workflow.name }}",
    "{{ `{{args` }}",
    "{{}}",
    "{{ }}",
    "{{",
    "}}",
    "{{ unclosed",
    "{ {args.x} }",
    '{"a":{"b":{"c":{}}}}',
    "sum by (pod) (rate(x{a=~'b{2}'}[1m]))",
    "{{ argsx }}",
    "{{ myargs.x }}",
    "{{templates.a.podTemplateHash}}",
    "{{% raw %}}",
]


@pytest.mark.parametrize(("text", "filled"), PLACEHOLDERS + [(text, text) for text in FOREIGN])
@pytest.mark.parametrize("place", ["condition", "job annotation", "key", "header", "body", "name"])
def test_only_arguments_are_placeholders_all_else_stays_byte_for_byte(place: str, text: str, filled: str) -> None:
    """A Go template in a Job's annotation, a legend of Prometheus, leftovers of Helm ended every run in Error."""

    def metric(text: str) -> dict[str, Any]:
        annotations = {"vault.test/template": text if place == "job annotation" else ""}
        job = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        web = {
            "headers": [{"key": text if place == "header" else "k"}],
            "jsonBody": {"q": [text if place == "body" else 1]},
        }
        return {
            "name": text if place == "name" else "m",
            "successCondition": text if place == "condition" else "true",
            "provider": {"job": job, "web": web, "plugin": {text if place == "key" else "p": 1}},
        }

    assert with_arguments(msgspec.convert(metric(text), Metric), VALUES) == msgspec.convert(metric(filled), Metric)


@pytest.mark.parametrize("text", [text for text in FOREIGN if not text.startswith("{{templates.")] + ["{{args.x}}"])
def test_an_experiments_arguments_keep_foreign_braces(text: str) -> None:
    assert experiment_arguments([Argument("q", text)], {"a": ("h", "exp-a")}) == [Argument("q", text)]


def template(metric: dict[str, Any], *args: dict[str, Any], name: str = "check") -> AnalysisTemplate:
    whole = {"name": "m", "provider": {"web": {"url": "http://x"}}, **metric}
    return msgspec.convert(
        {"metadata": {"name": name}, "spec": {"args": list(args), "metrics": [whole]}}, AnalysisTemplate
    )


ROLLOUT: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {"every": "5s"}},
    "spec": {"replicas": 3, "minReadySeconds": 7},
}


def check(*templates: AnalysisTemplate, background: bool = False, **given: Any) -> None:
    args = [{"name": name, **({"value": v} if isinstance(v, str) else {"valueFrom": v})} for name, v in given.items()]
    names = [{"templateName": t.metadata.name} for t in templates]
    asked = msgspec.convert({"templates": names, "args": args}, RolloutAnalysis)
    known = {t.metadata.name: t for t in templates}
    check_for_rollout(asked, known, {}, background=background, rollout=ROLLOUT)


def field(path: str) -> dict[str, Any]:
    return {"fieldRef": {"fieldPath": path}}


FIELDS = {
    "interval": ("1s", "1 second", "invalid interval string"),
    "initialDelay": ("500ms", "soon", "invalid startDelay string"),
    "count": ("3", "-", ""),
    "failureLimit": ("1", "-2", "failureLimit must be >= 0, or -1 to be disabled"),
    "inconclusiveLimit": ("1", "4", "count must be >= inconclusiveLimit"),
    "consecutiveErrorLimit": ("1", "-1", "consecutiveErrorLimit must be >= 0"),
    "consecutiveSuccessLimit": ("1", "-1", "consecutiveSuccessLimit must be >= 0"),
}


@pytest.mark.parametrize("spelt", ["{{args.of}}", "{{ args.of }}"])
@pytest.mark.parametrize("by", ["default", "rollout", "rollout over default"])
@pytest.mark.parametrize("name", list(FIELDS))
def test_limits_from_an_argument_are_judged_by_its_value(name: str, by: str, spelt: str) -> None:
    """`interval: "{{args.interval}}"` was an invalid interval, whatever the argument's value."""
    good, bad, message = FIELDS[name]
    metric = {"interval": "1s", "count": 3, name: spelt}

    def checked(value: str) -> None:
        default = {} if by == "rollout" else {"value": bad if by == "rollout over default" else value}
        given: dict[str, Any] = {} if by == "default" else {"of": value}
        check(template(metric, {"name": "of", **default}), **given)

    checked(good)
    if message:
        with pytest.raises(AnalysisProblem, match=message):
            checked(bad)


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        (field("metadata.labels['every']"), ""),
        (field("spec.minReadySeconds"), "invalid interval string: '7' is no duration"),
        (field("status.canary.weights.canary.weight"), ""),
        ({"podTemplateHashValue": "Latest"}, ""),
    ],
)
def test_a_value_is_judged_where_it_is_known_before_the_update(source: dict[str, Any], wrong: str) -> None:
    checked = template({"interval": "{{args.every}}", "count": 2}, {"name": "every"})
    if not wrong:
        check(checked, every=source)
        return
    with pytest.raises(AnalysisProblem, match=wrong):
        check(checked, every=source)


SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}


@pytest.mark.parametrize(
    ("args", "given", "message"),
    [
        (
            [{"name": "who"}],
            {},
            "args.who was not resolved: template 'check' declares it without a value, and the analysis",
        ),
        ([{"name": "who"}, {"name": "a", "value": "1"}], {"a": "2"}, "args.who was not resolved"),
        ([{"name": "who"}], {"whom": "x"}, "args.who was not resolved"),
        (
            [{"name": "who", "valueFrom": field("metadata.name")}],
            {},
            "template 'check' takes it from a fieldRef, which",
        ),
        ([{"name": "who", "valueFrom": {}}], {}, "args.who was not resolved"),
        ([{"name": "who"}], {"who": field("spec.nothing")}, "args.who: invalid path spec.nothing in rollout"),
        (
            [{"name": "who"}],
            {"who": field("metadata.generation")},
            "args.who: unsupported fieldPath: metadata.generation",
        ),
        ([{"name": "who"}], {"who": field("spec.strategy")}, "args.who: invalid path spec.strategy in rollout"),
        ([], {"who": "x"}, r"template 'check', metric m: failed to resolve \{\{args.who\}\}: the templates of this"),
        ([{"name": "who"}], {"who": "x"}, ""),
        ([{"name": "who"}], {"who": ""}, ""),
        ([{"name": "who", "value": "d"}], {}, ""),
        ([{"name": "who", "valueFrom": SECRET}], {}, ""),
        ([{"name": "who", "valueFrom": field("metadata.name")}], {"who": "x"}, ""),
        ([{"name": "who"}], {"who": field("spec.replicas")}, ""),
        ([{"name": "who"}], {"who": {"podTemplateHashValue": "Stable"}}, ""),
        ([{"name": "who"}], {"who": "x", "unused": field("metadata.name")}, ""),
    ],
)
@pytest.mark.parametrize("background", [True, False])
def test_an_argument_without_a_value_is_named(
    background: bool, args: list[dict[str, Any]], given: dict[str, Any], message: str
) -> None:
    """The update waited for ever, without a reason in the status."""
    checked = template({"successCondition": "result == '{{args.who}}'"}, *args)
    if not message:
        check(checked, background=background, **given)
        return
    with pytest.raises(AnalysisProblem, match=message):
        check(checked, background=background, **given)


@pytest.mark.parametrize(
    ("one", "two", "given", "clash"),
    [
        ({"value": "1"}, {"value": "2"}, {}, True),
        ({"value": "1"}, {"value": "2"}, {"x": "3"}, False),
        ({"value": "1"}, {"value": "2"}, {"x": field("metadata.name")}, False),
        ({"value": "1"}, {"value": "2"}, {"y": "3"}, True),
        ({"value": "1"}, {"value": "1"}, {}, False),
        ({"value": "1"}, {}, {}, False),
        ({}, {"value": "1"}, {}, False),
        ({"valueFrom": SECRET}, {}, {}, False),
        ({}, {"valueFrom": SECRET}, {}, False),
    ],
)
def test_defaults_clash_only_where_one_of_them_would_count(
    one: dict[str, Any], two: dict[str, Any], given: dict[str, Any], clash: bool
) -> None:
    """Defaults that the Rollout overrides were compared all the same; a declaration alone removed another's Secret."""
    texts = {"successCondition": "result == '{{args.x}}'"}
    templates = (
        template({**texts, "name": "a"}, {"name": "x", **one}, name="one"),
        template({**texts, "name": "b"}, {"name": "x", **two}, name="two"),
    )
    if not clash:
        check(*templates, **given)
        return
    with pytest.raises(AnalysisProblem, match="Argument `x` specified multiple times with different values: '1', '2'"):
        check(*templates, **given)
