"""Validation of a Rollout.

The order is Argo Rollouts': its users see the first finding in the condition InvalidSpec. Checks of other objects
follow only if the Rollout itself is valid. A `missing` finding ends when the object appears.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from serinus.api.derived import latest_by_identity, once
from serinus.api.meta import Json, LabelSelector
from serinus.api.network import Ingress, Service
from serinus.api.pods.types import type_findings
from serinus.api.pods.validation import NOT_NEGATIVE, template_findings
from serinus.api.rollout import Rollout
from serinus.api.validation.findings import Finding, invalid, required
from serinus.api.validation.metadata import role_metadata_findings
from serinus.api.validation.references import absent, read_objects, unfit, workload_finding
from serinus.api.validation.routing_rules import Lookup
from serinus.api.validation.spec_rules import SpecRules
from serinus.api.validation.strategy import strategy_findings
from serinus.api.values.label_rules import selector_findings
from serinus.api.workloads import Workload

__all__ = ["Finding", "concerns_only_updates", "invalid_spec_message", "validate", "validate_all"]


def validate(
    rollout: Rollout,
    *,
    services: Mapping[str, Service] | None = None,
    ingresses: Mapping[str, Ingress] | None = None,
    objects: Mapping[str, Json] | None = None,
    workload: Workload | None = None,
    served: Mapping[str, str] | None = None,
    unreadable: Mapping[str, str] | None = None,
    rules: SpecRules | None = None,
) -> Finding | None:
    """The first error in a Rollout; None if it is valid.

    `services`, `ingresses`: those of its namespace by name; `objects`: templates of analyses and router objects by
    "Kind/name". A mapping that is None is not checked. `workload`: the object of spec.workloadRef, None if it does not
    exist. `served`: kinds of other projects and their versions, "" for one that the API server does not serve.
    `unreadable`: kind -> why the controller cannot read its objects. `rules`: of routers and steps; without them, these
    are not checked.
    """
    reference = rollout.spec.workload_ref
    unresolved = workload_finding(rollout, reference, workload) if reference else None
    if unresolved is not None:
        return unresolved
    template, selector = _resolved(rollout, workload)

    def alone() -> Finding | None:
        return next(_spec(rollout, template, selector, rules), None)

    lookup = Lookup(ingresses, objects, served or {}, unreadable or {})
    wrong = alone() if reference else once(rollout.spec, "finding", alone)
    if wrong is not None:
        return wrong
    findings = _routers(rollout, rules) or _references(rollout, template, services, lookup, rules)
    return findings[0] if findings else None


def concerns_only_updates(
    rollout: Rollout,
    *,
    services: Mapping[str, Service] | None = None,
    ingresses: Mapping[str, Ingress] | None = None,
    objects: Mapping[str, Json] | None = None,
    workload: Workload | None = None,
    served: Mapping[str, str] | None = None,
    unreadable: Mapping[str, str] | None = None,
    rules: SpecRules | None = None,
) -> bool:
    """Whether the only errors are in steps, or are missing templates of analyses. Parameters as of `validate`."""
    reference = rollout.spec.workload_ref
    if reference and workload_finding(rollout, reference, workload) is not None:
        return False
    template, selector = _resolved(rollout, workload)
    references = _references(
        rollout, template, services, Lookup(ingresses, objects, served or {}, unreadable or {}), rules
    )
    return all(
        finding.of_update
        for finding in chain(_spec(rollout, template, selector, rules), _routers(rollout, rules), references)
    )


def validate_all(
    rollout: Rollout,
    *,
    services: Mapping[str, Service] | None = None,
    ingresses: Mapping[str, Ingress] | None = None,
    objects: Mapping[str, Json] | None = None,
    workload: Workload | None = None,
    served: Mapping[str, str] | None = None,
    unreadable: Mapping[str, str] | None = None,
    rules: SpecRules | None = None,
) -> list[Finding]:
    """All errors in a Rollout, for `lint`. Parameters as of `validate`, but an absent workload is no error."""
    reference = rollout.spec.workload_ref
    unresolved = workload_finding(rollout, reference, workload) if reference else None
    if unresolved is not None and unresolved.missing is None:
        return [unresolved, *_after_template(rollout, rules)]
    if unresolved is not None:
        return [*_after_template(rollout, rules), *_routers(rollout, rules)]
    template, selector = _resolved(rollout, workload)
    wrong = list(_spec(rollout, template, selector, rules))
    lookup = Lookup(ingresses, objects, served or {}, unreadable or {})
    return wrong or [*_routers(rollout, rules), *_references(rollout, template, services, lookup, rules)]


def invalid_spec_message(name: str, finding: Finding) -> str:
    """The text of the condition InvalidSpec."""
    return f'The Rollout "{name}" is invalid: {finding.message}'


def _resolved(rollout: Rollout, workload: Workload | None) -> tuple[Json, LabelSelector | None]:
    spec = rollout.spec
    if spec.workload_ref is None or workload is None:
        return spec.template, spec.selector
    template = workload.template if workload.kind == "PodTemplate" else workload.spec.template
    return template, spec.selector or workload.spec.selector


def _spec(
    rollout: Rollout, template: Json, selector: LabelSelector | None, rules: SpecRules | None
) -> Iterator[Finding]:
    spec = rollout.spec
    if spec.replicas is not None and spec.replicas < 0:
        yield invalid("spec.replicas", spec.replicas, NOT_NEGATIVE)
    if spec.workload_ref is None:
        yield from _selector(selector)
    if selector is not None and any(True for _ in selector_findings("spec.selector", selector)):
        yield invalid("spec.selector", selector, "invalid label selector")
    else:
        yield from _template("spec.template", template, selector)
    yield from _after_template(rollout, rules)
    yield from role_metadata_findings(spec, selector)


def _template(path: str, template: Json, selector: LabelSelector | None) -> Iterator[Finding]:
    wrong = list(type_findings(path, template))
    yield from wrong or template_findings(path, template, selector)


def _selector(selector: LabelSelector | None) -> Iterator[Finding]:
    if selector is None:
        yield required("spec.selector", "Rollout has missing field '.spec.selector'")
        return
    yield from selector_findings("spec.selector", selector)
    if not selector.match_labels and not selector.match_expressions:
        yield invalid("spec.selector", selector, "empty selector is invalid for deployment")


def _after_template(rollout: Rollout, rules: SpecRules | None) -> Iterator[Finding]:
    spec = rollout.spec
    history = 10 if spec.revision_history_limit is None else spec.revision_history_limit
    deadline = 600 if spec.progress_deadline_seconds is None else spec.progress_deadline_seconds
    for field, value in (
        ("minReadySeconds", spec.min_ready_seconds),
        ("revisionHistoryLimit", history),
        ("progressDeadlineSeconds", deadline),
    ):
        if value < 0:
            yield invalid(f"spec.{field}", value, NOT_NEGATIVE)
    if deadline <= spec.min_ready_seconds:
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    yield from strategy_findings(rollout, rules)


def _routers(rollout: Rollout, rules: SpecRules | None) -> Sequence[Finding]:
    """These come before references: without the router, its objects cannot be looked up."""
    canary = rollout.spec.strategy.canary
    routing = canary.traffic_routing if canary is not None else None
    if rules is None or routing is None:
        return ()
    return once(rollout.spec, "unknown routers", lambda: tuple(rules.unknown(routing)))


def _references(
    rollout: Rollout,
    template: Json,
    services: Mapping[str, Service] | None,
    lookup: Lookup,
    rules: SpecRules | None,
) -> Sequence[Finding]:
    """All missing objects come before any unfit one. Computed again once one of the objects that it reads is another."""
    read = read_objects(rollout, services, lookup, rules)
    return latest_by_identity(
        rollout.spec,
        "reference findings",
        (rules, template, rollout.metadata.name, *read),
        lambda: (*absent(rollout, services, lookup, rules), *unfit(rollout, template, services, lookup, rules)),
    )
