"""What a provider is, and what it can reach.

Most providers answer at once: they are an `Answering`, which only has to ask. A Job, a Kayenta canary or a plugin may take
longer: they are a `Provider` as a whole. Whatever goes wrong in one is a `ProviderError`; its text becomes the message of
the measurement.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from serinus.analysis.conditions.budget import STEPS
from serinus.analysis.conditions.errors import TooMuchWork
from serinus.analysis.hiding import Hidden
from serinus.analysis.phases import ERROR, RUNNING
from serinus.analysis.providers.current import hide
from serinus.analysis.providers.http import Answer, Http
from serinus.analysis.providers.lanes import Lanes
from serinus.analysis.providers.reader import SMALL, Reader
from serinus.analysis.providers.trouble import ProviderError
from serinus.analysis.verdicts import LONGEST_VALUE, judged
from serinus.api.analysis import AnalysisRun, Measurement, Metric
from serinus.api.cutting import LONGEST_MESSAGE
from serinus.api.meta import Json
from serinus.api.reading import converted
from serinus.api.resources import SECRETS, Resource
from serinus.api.times import format_time

C = TypeVar("C", bound=msgspec.Struct)
T = TypeVar("T")


QUICK = 20_000
"""Steps of a condition that are made at once: about 20 ms. One that needs more begins again, apart from the event loop."""


class _Found(Protocol):
    @property
    def items(self) -> Sequence[Json]: ...


class Cluster(Protocol):
    """The calls of the API client that providers need. Errors have a `code` like HTTP's."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json: ...

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "") -> _Found: ...

    async def create(self, resource: Resource, obj: Any, namespace: str = "") -> Json: ...

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", *, uid: str = "", propagation: str = "Background"
    ) -> None: ...


@dataclass(frozen=True)
class Reach:
    """What providers may use. `namespace`: the controller's. `clock`: seconds since the epoch.

    `weight_of`: the part of the requests, from 0 to 1, that the version judged by a run gets now; None where it is not known.
    `job_cluster`: where Jobs are made, if that is another cluster. `lanes`: in which calls take places. `reader`: for large answers.
    """

    http: Http
    cluster: Cluster
    clock: Callable[[], float]
    namespace: str = "argo-rollouts"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    job_cluster: Cluster | None = None
    lanes: Lanes = field(default_factory=Lanes, repr=False)
    reader: Reader = field(default_factory=Reader, repr=False)
    weight_of: Callable[[AnalysisRun], float | None] = lambda _: None

    async def close(self) -> None:
        """Ends connections and threads."""
        await self.http.close()
        self.reader.close()

    async def secret(self, namespace: str, name: str, *, public: Collection[str] = ()) -> dict[str, str] | None:
        """The decoded data of a Secret; None if it does not exist. ProviderError if it cannot be read.

        What is measured shows none of its values, save those of the keys in `public`, such as an address.
        """
        try:
            found = await self.cluster.get(SECRETS, name, namespace)
        except Exception as error:
            if code_of(error) == 404:
                return None
            raise ProviderError(f"Secret {namespace}/{name} cannot be read: ", error) from error
        data: dict[str, str] = found.get("data") or {}
        decoded: dict[str, str] = {}
        for key, value in data.items():
            try:
                decoded[key] = base64.b64decode(value).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise ProviderError(f"Secret {namespace}/{name}: the value of {key!r} is no text in UTF-8") from None
        hide(*(value for key, value in decoded.items() if key not in public))
        return decoded


def code_of(error: Exception) -> int:
    """The HTTP status of an API error; 0 for other errors."""
    code = getattr(error, "code", 0)
    return code if isinstance(code, int) else 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a monitoring system said. `result` is what conditions see, `value` what the status shows.

    `large`: to be judged apart from the event loop.
    """

    result: Any
    value: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    large: bool = False


@dataclass(frozen=True)
class Call:
    """One call of a provider. `number`: which measurement of the metric it is, from 1.

    `shown`: the metric with stand-ins for secret values: texts are made from it. `hidden`: the secrets of the run.
    """

    run: AnalysisRun
    metric: Metric = field(repr=False)
    reach: Reach
    number: int = 1
    shown: Metric | None = None
    hidden: Hidden = field(default_factory=Hidden, repr=False)

    @property
    def now(self) -> float:
        return self.reach.clock()

    @property
    def namespace(self) -> str:
        """Of the run."""
        return self.run.metadata.namespace

    def config(self, name: str, kind: type[C]) -> C:
        """The provider's part of the metric. ProviderError names the field that is wrong."""
        try:
            return converted(self.metric.provider.get(name) or {}, kind)
        except msgspec.ValidationError as error:
            raise ProviderError(f"provider.{name} of metric '{self.metric.name}': ", error) from error

    def shown_config(self, name: str, kind: type[C]) -> C:
        """The same as people may see it: for messages. Empty where the stand-ins do not fit."""
        try:
            return converted((self.shown or self.metric).provider.get(name) or {}, kind)
        except msgspec.ValidationError:
            return kind()

    async def taken(self, answer: Answer, work: Callable[[], T]) -> T:
        """What the work makes of an answer: apart from the event loop where the answer is large."""
        return work() if len(answer.body) <= SMALL else await self.reach.reader.apart(work)

    async def read(self, answer: Answer, work: Callable[[], Reading]) -> Reading:
        """The same for what a monitoring system said; what follows from it is apart then, too."""
        reading = await self.taken(answer, work)
        return replace(reading, large=True) if len(answer.body) > SMALL else reading

    def said(self, text: str, longest: int = LONGEST_MESSAGE) -> str:
        """Text of a server, a library or a plugin as the status may show it: without secrets, and not too long."""
        return self.hidden.foreign(text, longest)


class Provider(Protocol):
    """`type`: its name in metrics. The calls return the measurement as it goes into the status."""

    type: ClassVar[str]

    async def run(self, call: Call) -> Measurement: ...

    async def resume(self, call: Call, measurement: Measurement) -> Measurement: ...

    async def terminate(self, call: Call, measurement: Measurement) -> Measurement: ...

    async def clean_up(self, call: Call, keep: int) -> None:
        """Older measurements than the newest `keep` have left the status."""

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """What the metric's result shows, such as the query with its arguments. It is given the metric with stand-ins."""
        ...


class Answering(Generic[C]):
    """A provider that answers at once. `name`: its key in `provider`; `config`: what stands there."""

    type: ClassVar[str]
    name: ClassVar[str]
    config: type[C]

    async def ask(self, config: C, call: Call) -> Reading:
        raise NotImplementedError

    def shows(self, config: C) -> Mapping[str, str]:
        """For the metadata of the metric's result."""
        return {}

    async def run(self, call: Call) -> Measurement:
        started = format_time(call.now)
        reading = await self.ask(call.config(self.name, self.config), call)
        now = call.now
        if not reading.large:
            with suppress(TooMuchWork):
                return self._concluded(call, reading, started, now, QUICK)
        return await call.reach.reader.apart(lambda: self._concluded(call, reading, started, now, STEPS))

    def _concluded(self, call: Call, reading: Reading, started: str, now: float, steps: int) -> Measurement:
        verdict = judged(call.metric, reading.result, now, call.shown, steps)
        return Measurement(
            verdict.phase,
            call.hidden.message(verdict.own, verdict.said, LONGEST_MESSAGE),
            started,
            format_time(now),
            value="" if verdict.phase == ERROR else call.said(reading.value, LONGEST_VALUE),
            metadata={key: call.said(text, LONGEST_VALUE) for key, text in reading.metadata.items()},
        )

    async def resume(self, call: Call, measurement: Measurement) -> Measurement:
        return measurement

    async def terminate(self, call: Call, measurement: Measurement) -> Measurement:
        return measurement

    async def clean_up(self, call: Call, keep: int) -> None:
        return None

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        try:
            return self.shows(converted(metric.provider.get(self.name) or {}, self.config))
        except msgspec.ValidationError:
            return {}


def begun(call: Call, metadata: Mapping[str, str], resume_at: float) -> Measurement:
    """A measurement that takes longer, to be looked at again at `resume_at`."""
    at = format_time(call.now)
    return Measurement(RUNNING, "", at, metadata=dict(metadata), resume_at=format_time(resume_at))


def ended(call: Call, measurement: Measurement, phase: str, message: str = "", value: str = "") -> Measurement:
    """The measurement, finished."""
    return msgspec.structs.replace(
        measurement, phase=phase, message=message, value=value or measurement.value, finished_at=format_time(call.now)
    )
