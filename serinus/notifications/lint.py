"""Errors in valid configurations and subscriptions: texts with another meaning than intended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from serinus.notifications.configuration import Configuration
from serinus.notifications.due import dangling, subscribed
from serinus.notifications.names import PREFIX, SUBSCRIBE, SUBSCRIPTIONS
from serinus.notifications.problems import ConfigurationProblem

_TEXTS = (
    (re.compile(r"\.context\b"), "there is no .context: it is empty", "write the text itself"),
    (re.compile(r"\{\{[^}]*\.app\b"), "there is no .app: that is Argo CD's", "did you mean .rollout?"),
    (re.compile(r"\.rollout\.name\b"), "a Rollout has no .name: it is empty", "did you mean .rollout.metadata.name?"),
    (
        re.compile(r"\.rollout\.namespace\b"),
        "a Rollout has no .namespace: it is empty",
        "did you mean .rollout.metadata.namespace?",
    ),
    (re.compile(r",\s*[\]}]"), "there is a comma before a closing bracket: that is no JSON", "remove the comma"),
)
_CONDITIONS = (
    (re.compile(r"phase\s*==\s*['\"]Aborted"), "no Rollout has the phase Aborted", "did you mean rollout.status.abort == true?"),
    (re.compile(r"phase\s*==\s*['\"]Completed"), "no Rollout has the phase Completed", "did you mean Healthy?"),
    (re.compile(r"\b(?:app|context|strings|sync|repo)\."), "there is no such variable: it is nil", "variables: rollout, time, secrets"),
    (re.compile(r"\banalysisRun\."), "only Events of analyses have analysisRun: elsewhere it is nil", "did you mean analysisRuns[0]?"),
)  # fmt: skip


def problems_of(configuration: Configuration) -> Iterator[ConfigurationProblem]:
    """Errors and warnings of a configuration."""
    yield from configuration.problems
    for name, template in configuration.templates.items():
        for text in _texts(template.source):
            for pattern, message, proposal in _TEXTS:
                if pattern.search(text):
                    yield ConfigurationProblem(f"template.{name}", message, "warning", proposal=proposal)
    for trigger in configuration.triggers.values():
        for condition in trigger.conditions:
            for pattern, message, proposal in _CONDITIONS:
                if pattern.search(condition.when_text):
                    yield ConfigurationProblem(
                        f"trigger.{trigger.name}", message, "warning", f"[{condition.index}].when", proposal
                    )
            if not condition.send:
                yield ConfigurationProblem(
                    f"trigger.{trigger.name}", "it sends no template", "warning", f"[{condition.index}].send"
                )


def problems_of_object(configuration: Configuration, metadata: Mapping[str, Any]) -> Iterator[ConfigurationProblem]:
    """Errors and warnings of the subscriptions of an object."""
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    subscriptions, problems = subscribed(configuration, annotations, metadata.get("labels") or {})
    yield from problems
    yield from dangling(configuration, subscriptions)
    for key, value in annotations.items():
        if key.startswith(PREFIX) and not key.startswith((SUBSCRIBE, SUBSCRIPTIONS)):
            proposal = f"did you mean {SUBSCRIBE}TRIGGER.SERVICE?" if "subscri" in key else ""
            yield ConfigurationProblem(key, "this annotation means nothing", "warning", proposal=proposal)
        elif key.startswith(SUBSCRIBE) and "," in value and ".email" not in key:
            yield ConfigurationProblem(key, f"{value!r} is one recipient: recipients are separated by ';'", "warning")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
