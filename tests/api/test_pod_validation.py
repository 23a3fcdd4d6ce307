"""`data/pod_template_findings.jsonl`: templates and the findings of Kubernetes 1.34's own code."""

import json
from pathlib import Path
from typing import Any

import pytest

from serinus.api.meta import LabelSelector
from serinus.api.pods.validation import template_findings

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "data/pod_template_findings.jsonl").read_text().splitlines()
]
WEB = LabelSelector(match_labels={"app": "web"})


@pytest.mark.parametrize("case", CASES, ids=lambda case: (case["says"] or ["valid"])[0][:80])
def test_a_template_is_judged_as_kubernetes_judges_it(case: dict[str, Any]):
    """Same findings, same words, same order: users look the texts up."""
    assert [finding.message for finding in template_findings("spec.template", case["template"], WEB)] == case["says"]


def test_a_quantity_that_is_none_is_named_with_its_field():
    container = {"name": "a", "image": "a:1", "resources": {"requests": {"cpu": "lots"}, "limits": {"cpu": "1"}}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    [finding] = template_findings("spec.template", template, WEB)
    assert finding.path == "spec.template.spec.containers[0].resources.requests[cpu]"
    assert "'lots' is no quantity" in finding.message
