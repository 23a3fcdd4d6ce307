"""Validation of an Experiment. Source: analysis, section 7 ("Experiment")."""

from __future__ import annotations

from serinus.api.experiment import Experiment
from serinus.api.pods.validation import unreadable_template
from serinus.api.values.durations import go_duration
from serinus.engine.core.context import DEFAULT_PROGRESS_DEADLINE


def invalid_experiment(experiment: Experiment) -> str:
    """The first error; "" if the Experiment is valid."""
    spec, names = experiment.spec, set[str]()
    deadline = DEFAULT_PROGRESS_DEADLINE if spec.progress_deadline_seconds is None else spec.progress_deadline_seconds
    for i, template in enumerate(spec.templates):
        selector = template.selector
        if selector is None:
            return f"Rollout has missing field '.Spec.Templates[{i}].Selector'"
        if not selector.match_labels and not selector.match_expressions:
            return f"This experiment is selecting all pods at index {i}. A non-empty selector is required."
        if template.min_ready_seconds > deadline:
            return f"MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index {i}"
        if not template.name:
            return f"Experiment {experiment.metadata.name} has empty template name at index {i}"
        if template.name in names:
            return f"Experiment {experiment.metadata.name} has repeated template name '{template.name}' in templates"
        names.add(template.name)
        unreadable = next(unreadable_template(f"spec.templates[{i}].template", template.template), None)
        if unreadable is not None:
            return unreadable.message
    if spec.duration:
        try:
            go_duration(spec.duration)
        except ValueError as error:
            return f"spec.duration: {error}"
    return ""
