"""Verdicts whose messages an earlier process sent or stored.

An AnalysisRun, its Experiment and its Rollout report the same phase one after the other, and the first one causes the
message. A process that ends between two of these reports leaves no record of the message, but the phase in the status
of the AnalysisRun or of the Experiment shows that the report was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from serinus.analysis.phases import COMPLETED
from serinus.controller.cache import Cache
from serinus.controller.notifications.subject import Subject
from serinus.engine.core.plan import Event


class Reported:
    """`occurrences(about, event)`: the occurrences of the messages that an Event causes."""

    def __init__(
        self,
        cache: Cache,
        occurrences: Callable[[Subject, Event], Iterable[str]],
        remember: Callable[[str], None],
    ) -> None:
        self._cache, self._occurrences, self._remember = cache, occurrences, remember

    def remember(self) -> None:
        """Prevents a second message for a phase that a status shows already."""
        for about, event in self._reports():
            for occurrence in self._occurrences(about, event):
                self._remember(occurrence)

    def _reports(self) -> Iterator[tuple[Subject, Event]]:
        for run in self._cache.analysis_runs.items.values():
            if run.status.phase in COMPLETED:  # it reports no other phase
                yield run, Event(f"AnalysisRun{run.status.phase}", run.metadata.name)
        for experiment in self._cache.experiments.items.values():
            for one in experiment.status.analysis_runs:
                if one.phase:
                    yield experiment, Event(f"AnalysisRun{one.phase}", f"'{one.name}'")
