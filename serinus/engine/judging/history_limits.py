"""Which finished AnalysisRuns and Experiments of a Rollout are kept, and which are deleted.

Source: analysis, section 5 ("History"), which holds for Experiments as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from serinus.analysis.phases import COMPLETED, SUCCESSFUL
from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.names import HASH
from serinus.engine.core.context import RolloutContext, hash_of
from serinus.engine.core.plan import Action

DEFAULT_HISTORY = 5


def surplus(
    s: RolloutContext,
    kind: Literal["AnalysisRun", "Experiment"],
    judged: Sequence[AnalysisRun | Experiment],
    counting: set[str],
) -> Iterator[Action]:
    """Deletes those of deleted versions, and those beyond the limits of `spec.analysis`, the oldest first.

    An Experiment with Services stays until their pods are gone, which is its scale-down delay after its end.

    `counting`: names of the current ones, which stay.
    """
    if not judged:
        return
    history = s.spec.analysis
    good = history.successful_run_history_limit if history else None
    bad = history.unsuccessful_run_history_limit if history else None
    left = {True: DEFAULT_HISTORY if good is None else good, False: DEFAULT_HISTORY if bad is None else bad}
    versions = {hash_of(rs) for rs in s.sets if not rs.metadata.deletion_timestamp} | {hash_of(s.new)}
    for one in sorted(judged, key=lambda j: (j.metadata.creation_timestamp, j.metadata.name), reverse=True):
        meta, phase = one.metadata, one.status.phase
        if meta.deletion_timestamp or meta.name in counting:
            continue
        because = "the version that it judged is gone"
        if meta.labels.get(HASH) in versions:
            if phase not in COMPLETED:
                continue
            left[phase == SUCCESSFUL] -= 1
            if left[phase == SUCCESSFUL] >= 0:
                continue
            because = "only so many that have finished are kept (spec.analysis)"
        if isinstance(one, Experiment) and _may_serve(one):
            continue  # its end wakes the Rollout again
        yield Action("delete", kind, meta.name, because, uid=meta.uid)


def _may_serve(experiment: Experiment) -> bool:
    """Whether a Service of it has pods: gateways may not have received yet that its weight is gone."""
    with_service = {template.name for template in experiment.spec.templates if template.service is not None}
    return any(one.replicas for one in experiment.status.template_statuses if one.name in with_service)
