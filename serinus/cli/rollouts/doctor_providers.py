"""`doctor`: checks the providers and Secrets of the metrics in the namespace's AnalysisTemplates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.analysis.providers.provider import configured
from serinus.analysis.providers.registry import problems, provider_of
from serinus.api.analysis import AnalysisTemplate, Metric
from serinus.api.decoding.reading import converted
from serinus.api.resources import ANALYSIS_TEMPLATES, SECRETS
from serinus.kube.errors import ApiError, NotFound

if TYPE_CHECKING:
    from serinus.cli.cluster.session import Session

Row = tuple[str, str, str]
"""(subject, finding, fix; "" without a problem)."""


def checked(session: Session, controller: str) -> Iterator[Row]:
    """A row for each problem and for each Secret. `controller`: its namespace. No rows if templates are unreadable."""
    try:
        templates = session.client.list(ANALYSIS_TEMPLATES, session.namespace).get("items") or []
    except ApiError:
        return
    seen: set[tuple[str, str]] = set()
    for template in templates:
        try:
            typed = converted(template, AnalysisTemplate)
        except msgspec.ValidationError:
            continue  # `lint` and the AnalysisRun report the error
        for metric in typed.spec.metrics:
            subject = f"AnalysisTemplate {typed.metadata.name}, metric {metric.name}"
            wrong = list(problems(metric))
            for field, problem in wrong:
                yield f"{subject}, {field}", problem, "Correct the field: each measurement of the metric fails."
            for namespace, name in () if wrong else _secrets(metric, session.namespace, controller):
                if (namespace, name) not in seen:
                    seen.add((namespace, name))
                    yield _secret(session, subject, namespace, name)


def _secrets(metric: Metric, own: str, controller: str) -> Iterator[tuple[str, str]]:
    """(namespace, name) of the Secrets that a measurement reads. Names that contain an argument are left out."""
    provider = provider_of(metric)
    try:
        config: Any = converted(configured(metric, provider.key) or {}, provider.config)
    except msgspec.ValidationError:
        return
    for use in provider.secrets(config):
        if "{{" not in use.name:
            yield own if use.namespaced else controller, use.name


def _secret(session: Session, subject: str, namespace: str, name: str) -> Row:
    what = f"{subject}, Secret {namespace}/{name}"
    try:
        session.client.get(SECRETS, namespace, name)
    except NotFound:
        return what, "is missing", "Create it: without credentials no measurement succeeds."
    except ApiError as error:
        return what, f"not checked: {error.message or error}", ""
    return what, "is there", ""
