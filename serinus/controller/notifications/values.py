"""Objects as templates and conditions see them: the cache's typed objects as JSON, with their related objects."""

from __future__ import annotations

from typing import Any

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.meta import Json
from serinus.api.names import HASH, REVISION
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.engine.core import references
from serinus.engine.core.builder import settled
from serinus.engine.core.plan import Event
from serinus.notifications.configuration import Configuration
from serinus.notifications.variables import variables

Subject = Rollout | Experiment | AnalysisRun


class Values:
    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def of(self, about: Subject) -> Json:
        """The object as JSON. A Rollout with a workloadRef has the workload's template and selector."""
        obj = settled(about)
        obj["apiVersion"], obj["kind"] = "argoproj.io/v1alpha1", type(about).__name__
        obj["metadata"].pop("managedFields", None)
        if isinstance(about, Rollout) and (named := references.workload(about)) is not None:
            informer = self._cache.others.get(f"workload {named[0]}")
            workload = informer.items.get((about.metadata.namespace, named[1])) if informer else None
            spec: Json = settled(workload).get("spec") or {} if workload is not None else {}
            obj["spec"] = {**obj["spec"], **{part: spec[part] for part in ("template", "selector") if part in spec}}
        return obj

    def root(self, about: Subject) -> Rollout | None:
        """The Rollout that the object belongs to; None if there is none."""
        if isinstance(about, Rollout):
            return about
        owner = about.metadata.controller()
        if owner is None:
            return None
        if owner.kind == "Experiment":
            experiment = self._cache.experiment(owner.uid)
            return self.root(experiment) if experiment is not None else None
        rollout = self._cache.rollouts.items.get((about.metadata.namespace, owner.name))
        return rollout if rollout is not None and rollout.metadata.uid == owner.uid else None

    def subject(self, rollout: Rollout, name: str) -> Subject:
        """The object with the name of `Pending.subject`; the Rollout if it is gone."""
        kind, _, own = name.partition("/")
        key = (rollout.metadata.namespace, own)
        subject = {
            "AnalysisRun": self._cache.analysis_runs.items.get,
            "Experiment": self._cache.experiments.items.get,
        }.get(kind, lambda _: None)(key)
        return subject if subject is not None and self.root(subject) is rollout else rollout

    def run_of(self, about: Subject, event: Event) -> str:
        """uid of the AnalysisRun or the Experiment whose verdict the Event reports; "" for other Events."""
        if isinstance(about, AnalysisRun) and event.reason.startswith("AnalysisRun"):
            return about.metadata.uid
        run = self._named_run(about, event)
        return run.metadata.uid if run is not None else ""

    def variables(self, about: Subject, configuration: Configuration, event: Event | None) -> dict[str, Any]:
        """`rollout` is the Rollout that the object belongs to, or the object itself."""
        root = self.root(about)
        run = about if isinstance(about, AnalysisRun) else self._named_run(about, event) if event is not None else None
        experiment = about if isinstance(about, Experiment) else None
        if experiment is None and isinstance(about, AnalysisRun) and (owner := about.metadata.controller()) is not None:
            experiment = self._cache.experiment(owner.uid)
        return variables(
            self.of(root if root is not None else about),
            configuration.secrets,
            event=None if event is None else {"reason": event.reason, "message": event.message, "type": event.type},
            analysis_runs=self._runs(root) if root is not None else None,
            analysis_run=self.of(run) if run is not None else None,
            experiment=self.of(experiment) if experiment is not None else None,
        )

    def _named_run(self, about: Subject, event: Event) -> AnalysisRun | None:
        """The run that is named in an Event about its owner."""
        if isinstance(about, AnalysisRun) or not event.reason.startswith("AnalysisRun"):
            return None
        texts = [event.message]
        if isinstance(about, Experiment):
            # Its Events name an analysis of its spec, not the run.
            texts += [one.analysis_run for one in about.status.analysis_runs if f"'{one.name}'" in event.message]
        named = [run for run in self._cache.runs_of(about) if any(run.metadata.name in text for text in texts)]
        return max(named, key=lambda run: len(run.metadata.name), default=None)

    def _runs(self, rollout: Rollout) -> list[Json] | None:
        """Runs of the current version and revision, newest first; None if none has the version."""
        version = rollout.status.current_pod_hash
        own = [run for run in self._cache.runs_of(rollout) if version and run.metadata.labels.get(HASH) == version]
        if not own:
            return None
        revision = rollout.metadata.annotations.get(REVISION)
        current = [run for run in own if run.metadata.annotations.get(REVISION) == revision]
        return [self.of(run) for run in sorted(current, key=lambda run: run.metadata.creation_timestamp, reverse=True)]
