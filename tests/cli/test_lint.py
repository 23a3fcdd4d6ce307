"""`lint` ends with 0 exactly for input that the API server and the controller would accept, read as kubectl reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli.cli_cluster import run

ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  strategy: {strategy}
  template:
    metadata: {{labels: {{app: web}}{meta}}}
    spec:
      containers:
      - {{name: web, image: web{container}}}
"""


def rollout(replicas: str = "1", strategy: str = "{canary: {}}", meta: str = "", container: str = "") -> str:
    return ROLLOUT.format(replicas=replicas, strategy=strategy, meta=meta, container=container)


def indented(text: str) -> str:
    """As an item of a list."""
    return "- " + text.replace("\n", "\n  ").rstrip() + "\n"


ROUTED = "{{canary: {{stableService: a, canaryService: b, trafficRouting: {{{}}}}}}}"
TEMPLATE = """\
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: t}}
spec:
  args: [{{name: who}}]
  metrics: [{{name: m, {metric}}}]
"""
WEB = "provider: {web: {url: http://x/}}"
ANALYSIS = "{canary: {steps: [{analysis: {templates: [{templateName: t}]%s}}]}}"
EXPERIMENT = """\
apiVersion: argoproj.io/v1alpha1
kind: Experiment
metadata: {{name: e}}
spec:
  templates:
  - name: a
    selector: {{matchLabels: {selector}}}
    template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: a, image: a}}]}}}}
"""

TAKEN = {
    "plain": rollout(),
    "nulls, as Helm writes them": rollout(
        "null",
        "{blueGreen: null, canary: {steps: null, analysis: ~, maxSurge: null, canaryMetadata: null}}",
        ", annotations: , creationTimestamp: null",
        ", resources: null, env: ~, args: null, livenessProbe: null",
    ),
    "nulls in a document beside it": "apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: null}\n"
    "spec: {selector: {app: web}, clusterIP: null, ports: [{port: 80, nodePort: null}]}\nstatus: null\n---\n" + rollout(),
    "metadata that is null": "apiVersion: v1\nkind: ConfigMap\nmetadata:\ndata: null\n---\n" + rollout(),
    "empty documents": "---\n---\n# nothing\n---\n" + rollout() + "---\n",
    "a List": "apiVersion: v1\nkind: List\nitems:\n" + indented(rollout()) + indented(rollout()),
    "an empty List": "apiVersion: v1\nkind: List\nitems: null\n",
    "text that YAML 1.1 takes for something else": rollout(container=", args: [=, 12:30, 2001-01-01, 1.2.3, '1e3', nan, !!binary aGk=]"),
    "tabs": rollout(container=",\timage:\tweb\t").replace(", image: web,", ","),
    "numbers in all forms": "---\n".join(map(rollout, ("1e1", "0o14", "014", "0x1F", "2.0", "1_0"))),
    "a date as an annotation": rollout(meta=", annotations: {a: 2001-01-01, b: '2001'}"),
    "a merge": rollout().replace("matchLabels: {app: web}", "matchLabels: &m {app: web}").replace("labels: {app: web}", "labels: {<<: *m}"),
    "objects that are not here": rollout(strategy="{canary: {canaryService: b, analysis: {templates: [{templateName: t}]}}}"),
    "an analysis with its argument": rollout(strategy=ANALYSIS % ", args: [{name: who, value: me}]") + TEMPLATE.format(metric=WEB),
    "kinds of others": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {foo: bar}\n---\n" + rollout(),
    "an experiment": EXPERIMENT.format(selector="{app: a}"),
}  # fmt: skip

REFUSED = {
    "a number where text belongs": (rollout(container=", args: [1e3]"), "containers[0].args[0]: Invalid value: 1000"),
    "an octal number where text belongs": (rollout(container=", args: [0o14]"), "args[0]: Invalid value: 12"),
    "a truth where text belongs": (rollout(container=", args: [on]"), "args[0]: Invalid value: true"),
    "a truth as an annotation": (rollout(meta=", annotations: {a: yes}"), "annotations"),
    "a fraction of a replica": (rollout("1.5"), "spec.replicas: Invalid value: 1.5"),
    "a negative number": (rollout("-0x1"), "spec.replicas: Invalid value: -1"),
    "a null in a list": (rollout(strategy="{canary: {steps: [null]}}"), "steps[0]"),
    "an unknown field": (rollout(strategy="{canary: {step: []}}"), 'unknown field "spec.strategy.canary.step" (did you mean steps?)'),
    "a key that is there twice": (rollout() + "spec: {}\n", "line 13: the key 'spec' is there twice"),
    "no strategy": (rollout(strategy="{}"), "spec.strategy"),
    "a second document": (rollout() + "---\n" + rollout("-1"), "spec.replicas: Invalid value: -1"),
    "an item of a List": ("apiVersion: v1\nkind: List\nitems:\n" + indented(rollout()) + indented(rollout("-1")), "-1"),
    "another version": (rollout().replace("v1alpha1", "v1beta1"), 'apiVersion: Unsupported value: "argoproj.io/v1beta1"'),
    "a router that is not there": (
        rollout(strategy=ROUTED.format("plugins: {a/b: {}}")), "trafficRouting.plugins.a/b: this version of Serinus",
    ),
    "an argument that nobody gives": (rollout(strategy=ANALYSIS % "") + TEMPLATE.format(metric=WEB), "args.who was not resolved"),
    "an analysis that never ends": (
        rollout(strategy=ANALYSIS % ", args: [{name: who, value: me}]") + TEMPLATE.format(metric="interval: 5s, " + WEB),
        "metric m which runs indefinitely",
    ),
    "a metric without a provider": (rollout() + TEMPLATE.format(metric="count: 1"), "provider"),
    "an experiment of all pods": (EXPERIMENT.format(selector="{}"), "A non-empty selector is required"),
    "no YAML": ("a: b: c\n", "line 1: mapping values are not allowed"),
    "no YAML, later": (rollout() + "---\na:\n\tb\n", "document 2, line 15: found character"),
    "no object": ("- a\n", "an object was expected"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_what_the_controller_takes_is_fine(tmp_path: Path, name: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(TAKEN[name])
    done = run("lint", "-f", str(file))
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_ends_with_1_and_names_the_field(tmp_path: Path, name: str) -> None:
    text, words = REFUSED[name]
    file = tmp_path / "r.yaml"
    file.write_text(text)
    done = run("lint", "-f", str(file))
    assert done.code == 1
    assert words in done.err


def test_each_finding_has_its_line_in_whatever_document_it_is(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(
        "# a\n---\n" + rollout("-1") + "---\nkind: List\napiVersion: v1\nitems:\n" + indented(rollout("1.5"))
    )
    assert run("lint", "-f", str(file)).err.splitlines()[1:] == [
        f"{file}:7: Rollout web: spec.replicas",
        f"{file}:23: Rollout web: spec.replicas",
    ]


def test_a_step_that_is_too_short_for_its_verdict_is_a_warning(tmp_path: Path) -> None:
    side = "{requests: a, errors: b}"
    counts = f"{{prometheus: {{address: http://p}}, canary: {side}, stable: {side}}}"
    config = f"{{counts: {counts}, expected: {{requests: 200, rate: 0.01}}}}"
    metric = f"interval: 30s, provider: {{plugin: {{serinus.dev/sequential: {config}}}}}"
    strategy = (
        "{canary: {steps: [{setWeight: 10}, {pause: {duration: 5m}}], analysis: {templates: [{templateName: t}], "
        "args: [{name: who, value: x}]}}}"
    )
    file = tmp_path / "web.yaml"
    file.write_text(rollout(strategy=strategy) + TEMPLATE.format(metric=metric))
    done = run("lint", "-f", str(file))
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(
        "warning: Rollout web: step 2 lasts 5m at weight 10; metric m finds a threefold error rate"
    )


def test_a_provider_of_serinus_behind_plugin_is_checked(tmp_path: Path) -> None:
    """The schema of the CRDs keeps everything behind `plugin`, so a typo would be found by the first measurement."""
    file = tmp_path / "template.yaml"
    verdict = "provider: {plugin: {serinus.dev/sequential: {counts: 5}}}"
    file.write_text(TEMPLATE.format(metric=verdict).removeprefix("---\n"))
    result = run("lint", "-f", str(file))
    assert result.code == 1
    assert "spec.metrics[0].provider.plugin.serinus.dev/sequential.counts" in result.err
