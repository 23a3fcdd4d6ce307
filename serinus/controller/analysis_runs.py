"""Executes AnalysisRuns: calls the providers on time, evaluates the measurements and writes the status.

`serinus.analysis` makes all decisions and is pure. This module has the calls, the versions of its own writes, and the
exact times. The status keeps times in whole seconds only. Each measurement is written once. If the run's spec changed
meanwhile (a user terminated it), the same measurement is written onto the new version. If its status changed, the
measurement is discarded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import structs

from serinus.analysis.arguments import Secrets, secret_names
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.hiding import Hidden
from serinus.analysis.phases import COMPLETED
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.measuring import Round, clean_up
from serinus.analysis.providers.provider import ProviderContext
from serinus.analysis.resolution import Resolved, resolve
from serinus.analysis.run_status import Assessed, MetricMeasurement, assess, delete_at, failed
from serinus.analysis.schedule import Task, endings, tasks
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec
from serinus.api.decoding.reading import converted
from serinus.api.messages.cutting import LONGEST_MESSAGE
from serinus.api.resources import ANALYSIS_RUNS
from serinus.controller.bounded import TooMuch, bounded
from serinus.controller.messages import Messages
from serinus.controller.reconcile import Measures
from serinus.controller.set_aside import SetAside
from serinus.engine.core.builder import difference, settled
from serinus.engine.core.plan import Event
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Conflict, Forbidden, NotFound
from serinus.kube.hands import Hands
from serinus.kube.informer import Informer, Key
from serinus.kube.queue import WorkQueue

log = logging.getLogger(__name__)

REFUSED = (400, 413, 422)
"""HTTP status codes of a write that the server will refuse again."""

Tell = Callable[[AnalysisRun, Event], None]
T = TypeVar("T")

ATTEMPTS = 5
"""A run ends after this many unexpected errors in a row, so that its owner does not wait forever."""

KEPT_SIZE = 100_000
"""Characters of metrics that are cached between rounds. Larger metrics are resolved in each round, to bound memory."""


@dataclass(frozen=True, slots=True)
class _Known:
    spec: AnalysisRunSpec
    secrets: Secrets = field(repr=False)
    resolved: Resolved


class AnalysisRuns:
    """The handler of the queue: call it with a key. An error raises, and the queue retries the key with back-off.

    `resolves` is called with the metrics of each run, once per spec. `hands`: the hands of the workers that call this
    handler.
    """

    def __init__(
        self,
        client: Client,
        runs: Informer[AnalysisRun],
        queue: WorkQueue[Key],
        clock: Clock,
        reach: ProviderContext,
        tell: Tell,
        *,
        measures: Measures,
        resolves: Callable[[Resolved], None] = lambda _: None,
        hands: Hands | None = None,
        messages: Messages | None = None,
    ) -> None:
        self._client, self._runs, self._queue, self._clock = client, runs, queue, clock
        self._reach, self._tell, self._messages = reach, tell, messages
        self._due: dict[Key, Mapping[str, float]] = {}
        self._written: dict[Key, int] = {}
        """The version that the cache must have reached before the run is reconciled again."""
        self._rests: dict[Key, tuple[int, float]] = {}
        """The version that a round wrote, and the time of the next one. The event of that write needs no reconcile."""
        self._resolved: dict[Key, _Known] = {}
        """Resolved metrics. They are the same in every round until the spec or a Secret changes."""
        self._woken: dict[Key, set[str]] = {}
        """Metrics to measure now, because their Job has ended."""
        self._resolves, self._measures, self._hands = resolves, measures, hands or Hands(1)
        self._rounds: dict[Key, Round] = {}
        """The calls in progress."""
        self.aside = SetAside()

    def wake(self, key: Key, metric: str) -> None:
        """Wakes the run: the unfinished measurement of this metric can end now."""
        if key in self._runs.items:
            self._woken.setdefault(key, set()).add(metric)
            self._queue.add(key)

    async def __call__(self, key: Key) -> None:
        began = self._clock.now()
        run = self._runs.items.get(key)
        if run is None or run.metadata.deletion_timestamp:
            self._forget(key)
            self._measures.forget(key)
            self._written.pop(key, None)
            return
        if not self._is_due(key, run, began):
            return
        if run.status.phase in COMPLETED:
            self._forget(key)
            await self._expire(key, run)
            return
        generation = run.metadata.generation
        if (aside := self.aside.until(key, generation, began)) is not None:
            self._queue.add_at(key, aside)
            return
        await self._round(key, run, began)

    def _is_due(self, key: Key, run: AnalysisRun, began: float) -> bool:
        """Whether this pass has work. If only time has to pass, the queue has the run again at that time."""
        version = _number(run.metadata.resource_version)
        if version < self._written.get(key, 0):
            return False  # the event of our own write wakes it
        self._written.pop(key, None)
        assessed, until = self._rests.pop(key, (0, 0.0))
        if version == assessed and began < until and key not in self._woken:
            self._queue.add_at(key, until)
            return False
        return True

    async def _round(self, key: Key, run: AnalysisRun, began: float) -> None:
        """Measures, assesses and writes; then the run rests until its next task."""
        woken = frozenset(self._woken.get(key, ()))
        taken: list[float] = []
        try:
            assessed, resolved = await self._assess(key, run, woken, taken)
        except ApiError:
            raise
        except Exception as error:
            assessed, resolved = await self._set_aside(key, run, error, sum(taken)), None
            if assessed is None:
                return
        else:
            self.aside.worked(key, run.metadata.generation, sum(taken), began)
        assessed = await self.write(key, run, assessed)
        if woken:
            self._woken[key] -= woken
            if not self._woken[key]:
                del self._woken[key]
        now = structs.replace(run, status=assessed.status)
        self._happened(now, _events(assessed))
        self._measures.reconciled(key, self._clock.now() - began)
        self._due[key] = assessed.due
        if assessed.next is not None:
            self._queue.add_at(key, assessed.next)
            if key in self._written:
                self._rests[key] = self._written[key], assessed.next
        if assessed.trimmed and resolved is not None:
            async with self._hands.away():
                await clean_up(run, resolved, assessed.trimmed, self._reach)

    def failed(self, key: Key, error: Exception, delay: float) -> None:
        """Logs an attempt that raised. The next attempt follows in `delay` seconds."""
        fields = {"namespace": key[0], "analysisrun": key[1], "again_in": f"{delay:.1f}s"}
        if isinstance(error, Conflict):
            log.debug("something changed since it was seen: deciding again", extra={"fields": fields})
            return
        self._measures.failed(key)
        if isinstance(error, ApiError):
            log.warning("a write failed: %s", error.message, extra={"fields": fields})
        else:
            log.error("the analysis failed", exc_info=error, extra={"fields": fields})

    async def _set_aside(self, key: Key, run: AnalysisRun, error: Exception, seconds: float) -> Assessed | None:
        """Sets only this run aside. The run ends if it exceeds a limit, or if it repeatedly cannot be assessed."""
        now = self._clock.now()
        entry = self.aside.failed(key, run.metadata.generation, error, seconds, now)
        self._measures.failed(key)
        known = self._resolved.get(key)
        message = Hidden(known.resolved.secrets if known else ()).foreign(entry.words, LONGEST_MESSAGE)
        unexpected = None if isinstance(error, TooMuch) else error
        fields = {"namespace": key[0], "analysisrun": key[1], "again_in": f"{entry.until - now:.1f}s"}
        log.error("set aside: %s", message, exc_info=unexpected, extra={"fields": fields})
        if unexpected is None or entry.failures >= ATTEMPTS:
            return failed(run, message, await self._measured(key, run, endings(run)))
        self._queue.add_at(key, entry.until)
        self._happened(run, [Event("SetAside", message, "Warning")])
        return None

    async def _assess(
        self, key: Key, run: AnalysisRun, woken: Collection[str], taken: list[float]
    ) -> tuple[Assessed, Resolved | None]:
        """(the assessment, the metrics if they could be resolved). `taken` receives the CPU seconds of each part."""

        def timed(work: Callable[[], T]) -> T:
            result, seconds = bounded(work)
            taken.append(seconds)
            return result

        now, due = self._clock.now(), self._due.get(key)
        try:
            secrets = await self._secrets(run)
            resolved = timed(lambda: self._resolve(key, run, secrets))
        except AnalysisProblem as problem:
            return failed(run, str(problem), await self._measured(key, run, endings(run))), None
        todo = timed(lambda: tasks(run, resolved, now, due, woken))
        measured = await self._measured(key, run, todo, resolved.secrets)
        return timed(lambda: assess(run, resolved, measured, self._clock.now(), due)), resolved

    async def _measured(
        self, key: Key, run: AnalysisRun, todo: Sequence[Task], secrets: Sequence[str] = ()
    ) -> list[MetricMeasurement]:
        """The measurements of the tasks. Other runs proceed meanwhile. A change of this run may end the tasks early."""
        round_ = Round(run, todo, self._reach, secrets)
        if not todo or self._stopped(round_, self._runs.items.get(key)) is not None:
            return []
        self._rounds[key] = round_
        try:
            async with self._hands.away():
                return await round_.measured()
        finally:
            del self._rounds[key]

    def changed(self, key: Key, run: AnalysisRun | None) -> None:
        """Ends the running measurements of a run that is deleted (None, or being deleted), replaced or terminated."""
        round_ = self._rounds.get(key)
        gone = None if round_ is None else self._stopped(round_, run)
        if round_ is not None and gone is not None:
            round_.end(gone=gone)

    @staticmethod
    def _stopped(round_: Round, run: AnalysisRun | None) -> bool | None:
        """True: the run of these calls is gone. False: it was terminated meanwhile. None: the calls continue."""
        if run is None or run.metadata.deletion_timestamp or run.metadata.uid != round_.run.metadata.uid:
            return True
        return False if run.spec.terminate and not round_.run.spec.terminate else None

    def _resolve(self, key: Key, run: AnalysisRun, secrets: Secrets) -> Resolved:
        known = self._resolved.get(key)
        if known is None or known.spec != run.spec or known.secrets != secrets:
            self._resolved.pop(key, None)
            known = _Known(run.spec, secrets, resolve(run.spec, secrets))
            if known.resolved.size <= KEPT_SIZE:
                self._resolved[key] = known
            self._resolves(known.resolved)
        return known.resolved

    def _forget(self, key: Key) -> None:
        self.aside.forget(key)
        self._due.pop(key, None)
        self._resolved.pop(key, None)
        self._rests.pop(key, None)
        self._woken.pop(key, None)

    async def _secrets(self, run: AnalysisRun) -> dict[str, dict[str, str] | None]:
        """The Secrets that the run's arguments name; None for a missing Secret.

        AnalysisProblem if reading is forbidden. If the API is unavailable, its ApiError is raised, and the queue
        retries.
        """
        names, space = secret_names(run.spec.args), run.metadata.namespace
        try:
            secrets = await asyncio.gather(*(self._reach.secret(space, name) for name in names))
        except ProviderError as error:
            if isinstance(error.__cause__, ApiError) and not isinstance(error.__cause__, Forbidden):
                raise error.__cause__ from None
            raise AnalysisProblem(f"Unable to resolve metric arguments: {error}") from error
        return dict(zip(names, secrets, strict=True))

    async def write(self, key: Key, run: AnalysisRun, assessed: Assessed) -> Assessed:
        """Writes the status and returns the status that the server accepted.

        The server would refuse the same measurements forever. A run whose status is refused therefore ends with that
        reason. If the server also refuses the final measurements, only the phase and the message are written.
        """
        try:
            await self._patch(key, run, assessed)
        except ApiError as error:
            if error.code not in REFUSED:
                raise
            message = f"its status is refused: {error.message}"
            ended = failed(run, message, await self._measured(key, run, endings(run)))
            try:
                await self._patch(key, run, ended)
            except ApiError as again:
                if again.code not in REFUSED:
                    raise
                await self._patch(key, run, failed(run, message))
            return ended
        return assessed

    async def _patch(self, key: Key, run: AnalysisRun, assessed: Assessed) -> None:
        patch = difference(settled(run.status), settled(assessed.status))
        if not patch:
            return
        await self._prepare(run, assessed)
        version = run.metadata.resource_version
        for _ in range(5):
            held = {"uid": run.metadata.uid, "resourceVersion": version}
            try:
                patched = await self._client.patch(ANALYSIS_RUNS, key[1], {"metadata": held, "status": patch}, key[0])
            except Conflict:
                live = converted(await self._client.get(ANALYSIS_RUNS, key[1], key[0]), AnalysisRun)
                if live.metadata.uid != run.metadata.uid or live.status != run.status:
                    raise
                version = live.metadata.resource_version
                continue
            except NotFound:
                return
            self._written[key] = _number(patched["metadata"]["resourceVersion"])
            return
        raise Conflict(409, "Conflict", f"AnalysisRun {key[1]} keeps changing")

    async def _prepare(self, run: AnalysisRun, assessed: Assessed) -> None:
        """Stores the messages of the Events before the status write. A refusal of that is ignored."""
        if self._messages is None:
            return
        try:
            await self._messages.prepare(run, lambda: structs.replace(run, status=assessed.status), _events(assessed))
        except ApiError as error:
            if not error.refused:
                raise

    def _happened(self, run: AnalysisRun, events: Sequence[Event]) -> None:
        for event in events:
            self._tell(run, event)
        if self._messages is not None:
            self._messages.happened(lambda: run, events, complete=True)

    async def _expire(self, key: Key, run: AnalysisRun) -> None:
        """`ttlStrategy`: deletes a completed run after its TTL."""
        at = delete_at(run)
        if at is None:
            return
        if self._clock.now() < at:
            self._queue.add_at(key, at)
            return
        try:
            await self._client.delete(ANALYSIS_RUNS, key[1], key[0], uid=run.metadata.uid)
        except NotFound:
            return


def _events(assessed: Assessed) -> list[Event]:
    return [Event(event.reason, event.message, event.type) for event in assessed.events]


def _number(version: str) -> int:
    return int(version) if version.isdigit() else 0
