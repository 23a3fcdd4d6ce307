"""The protocol of metric providers, and their context.

A provider is one file of this folder with one class and the line `PROVIDER = ThatClass()`. The registry finds the file.
The CRDs, `lint`, `doctor`, the metrics, the table of docs/providers and the tests use the registry.

Most providers return a reading (`QueryProvider`), and the metric's conditions evaluate it. A Job, a Kayenta canary or
a plugin returns its own verdict and may take longer (`VerdictProvider`). Every failure is a `ProviderError`. Its text
becomes the message of the measurement.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from serinus.analysis.hiding import Hidden
from serinus.analysis.phases import RUNNING
from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import Http, HttpResponse
from serinus.analysis.providers.http.reader import SMALL, ResponseReader
from serinus.analysis.providers.lanes import Lanes
from serinus.api.analysis import AnalysisRun, Measurement, Metric
from serinus.api.decoding.reading import converted
from serinus.api.messages.cutting import LONGEST_MESSAGE
from serinus.api.meta import Json
from serinus.api.resources import SECRETS, Resource
from serinus.api.values.times import format_time

C = TypeVar("C", bound=msgspec.Struct)
T = TypeVar("T")

REQUIRED = msgspec.Meta(extra={"required": True})
"""For a field that the schema requires, as in `Annotated[str, REQUIRED]`."""


def one_of(*values: str) -> msgspec.Meta:
    """For text with an enum in the schema."""
    return msgspec.Meta(extra={"enum": "|".join(values)})


class _Listed(Protocol):
    @property
    def items(self) -> Sequence[Json]: ...


class Cluster(Protocol):
    """The API client calls for providers. Errors have an HTTP status in `code`."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json: ...

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "") -> _Listed: ...

    async def create(self, resource: Resource, obj: Any, namespace: str = "") -> Json: ...

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", *, uid: str = "", propagation: str = "Background"
    ) -> None: ...


@dataclass(frozen=True)
class ProviderContext:
    """The context of providers. `namespace`: the controller's. `clock`: seconds since the epoch.

    `weight_of`: the current traffic weight, from 0 to 1, of the version that a run analyses; None if unknown.
    `job_cluster`: the cluster for Jobs, if it is another one. `lanes`: limits of calls. `reader`: for large responses.
    """

    http: Http
    cluster: Cluster
    clock: Callable[[], float]
    namespace: str = "argo-rollouts"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    job_cluster: Cluster | None = None
    lanes: Lanes = field(default_factory=Lanes, repr=False)
    reader: ResponseReader = field(default_factory=ResponseReader, repr=False)
    weight_of: Callable[[AnalysisRun], float | None] = lambda _: None

    async def close(self) -> None:
        """Close connections and threads."""
        await self.http.close()
        self.reader.close()

    async def secret(self, namespace: str, name: str, *, public: Collection[str] = ()) -> dict[str, str] | None:
        """The decoded data of a Secret; None if it does not exist. ProviderError if it cannot be read.

        Texts of the measurement show none of its values, except those of the keys in `public`, such as an address.
        """
        try:
            secret = await self.cluster.get(SECRETS, name, namespace)
        except Exception as error:
            if code_of(error) == 404:
                return None
            raise ProviderError(f"Secret {namespace}/{name} cannot be read: ", error) from error
        data: dict[str, str] = secret.get("data") or {}
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
    """The reading of a monitoring system. `result`: for conditions. `value`: for the status.

    `large`: conditions run outside of the event loop.
    """

    result: Any
    value: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    large: bool = False


@dataclass(frozen=True)
class MeasurementRequest:
    """One call of a provider. `number`: of the measurement of the metric, from 1.

    `shown`: the metric with stand-ins for secret values, for texts. `hidden`: the secrets of the run.
    `at`: the time to ask for, in seconds since the epoch; None: now.
    """

    run: AnalysisRun
    metric: Metric = field(repr=False)
    reach: ProviderContext
    number: int = 1
    shown: Metric | None = None
    hidden: Hidden = field(default_factory=Hidden, repr=False)
    at: float | None = None

    @property
    def now(self) -> float:
        return self.reach.clock() if self.at is None else self.at

    @property
    def namespace(self) -> str:
        """The namespace of the run."""
        return self.run.metadata.namespace

    def config(self, name: str, kind: type[C]) -> C:
        """The provider's part of the metric. ProviderError names the invalid field."""
        try:
            return converted(configured(self.metric, name) or {}, kind)
        except msgspec.ValidationError as error:
            raise ProviderError(f"{path_of(name)} of metric '{self.metric.name}': ", error) from error

    def shown_config(self, name: str, kind: type[C]) -> C:
        """The same without secrets, for messages. Empty if the stand-ins are invalid."""
        try:
            return converted(configured(self.shown or self.metric, name) or {}, kind)
        except msgspec.ValidationError:
            return kind()

    async def taken(self, answer: HttpResponse, work: Callable[[], T]) -> T:
        """The result of the work on a response. For a large response it runs outside of the event loop."""
        return work() if len(answer.body) <= SMALL else await self.reach.reader.apart(work)

    async def read(self, answer: HttpResponse, work: Callable[[], Reading]) -> Reading:
        """The same for a reading. The conditions of a large one run outside of the event loop too."""
        reading = await self.taken(answer, work)
        return replace(reading, large=True) if len(answer.body) > SMALL else reading

    def foreign(self, text: str, longest: int = LONGEST_MESSAGE) -> str:
        """Text of a server, a library or a plugin for the status: without secrets, and shortened."""
        return self.hidden.foreign(text, longest)


class SecretUse(NamedTuple):
    """A Secret that a provider reads. `namespaced`: in the AnalysisRun's namespace; otherwise in the controller's."""

    name: str
    namespaced: bool = False


class Provider(Generic[C]):
    """The base of all metric providers: names, configuration, and row in the docs.

    A provider is a `QueryProvider` or a `VerdictProvider`. docs/providers/adding.md has the steps to add one.
    """

    key: ClassVar[str]
    """The field of `provider`, or the name in `provider.plugin`, such as `serinus.dev/sequential`."""
    type: ClassVar[str]
    """The label `type` of the controller's metrics."""
    config: type[C]
    """The type of that field. The schema of the CRDs follows from it (fields.py)."""
    fields: ClassVar[str] = ""
    """The field's type in argoproj.fields.txt, if it does not follow from `config`."""
    request: ClassVar[str] = ""
    """For the table of docs/providers: the request."""
    result: ClassVar[str] = "none: the provider returns the verdict"
    """For the table: the result for conditions."""
    credentials: ClassVar[str] = ""
    """For the table: the source of the credentials."""

    def validate(self, config: C) -> Iterator[str]:
        """Errors of a configuration, as sentences. Only values without placeholders are checked."""
        yield from ()

    def secrets(self, config: C) -> tuple[SecretUse, ...]:
        """The Secrets that a measurement needs. `serinus doctor` checks that they exist."""
        return ()

    def shows(self, config: C) -> Mapping[str, str]:
        """Metadata of the metric's result, such as the query with its arguments."""
        return {}

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """`shows` of a metric in which stand-ins replace secrets. Empty if the stand-ins are invalid."""
        if type(self).shows is Provider.shows:
            return {}
        try:
            return self.shows(converted(configured(metric, self.key) or {}, self.config))
        except msgspec.ValidationError:
            return {}


class QueryProvider(Provider[C]):
    """A provider that returns a reading at once. The conditions of the metric evaluate it (conclusion.py)."""

    async def query(self, config: C, call: MeasurementRequest) -> Reading:
        raise NotImplementedError

    async def past(
        self, config: C, times: Sequence[float], step: float, call: MeasurementRequest
    ) -> Mapping[float, float]:
        """The number that `query` would have given at each of these times, `step` seconds apart. Times without data are
        left out.

        `serinus verdict calibrate` reads the past so. A provider that leaves this out keeps no past, and the command says
        so. ProviderError if the provider does not answer, or if the query is no count.
        """
        raise NotImplementedError

    @property
    def keeps_past(self) -> bool:
        return type(self).past is not QueryProvider.past


class VerdictProvider(Provider[C]):
    """A provider with an external verdict: the exit of a Job, a canary's score, a plugin. Conditions are not used.

    The calls return the measurement for the status. It may be Running until `resume_at`.
    """

    async def run(self, call: MeasurementRequest) -> Measurement:
        raise NotImplementedError

    async def resume(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        raise NotImplementedError

    async def terminate(self, call: MeasurementRequest, measurement: Measurement) -> Measurement:
        """End an unfinished measurement. Returns it unchanged if it cannot be ended."""
        return measurement

    async def clean_up(self, call: MeasurementRequest, keep: int) -> None:
        """Remove the objects of measurements that have left the status: all but the newest `keep`."""


def path_of(key: str) -> str:
    """The field of a metric that contains the provider's part."""
    return f"provider.{key}" if "/" not in key else f"provider.plugin.{key}"


def configured(metric: Metric, key: str) -> Any:
    """The provider's part of a metric, in `provider` or `provider.plugin`; None without one."""
    if "/" not in key:
        return metric.provider.get(key)
    plugins = metric.provider.get("plugin")
    return plugins.get(key) if isinstance(plugins, dict) else None


def begun(call: MeasurementRequest, metadata: Mapping[str, str], resume_at: float) -> Measurement:
    """An unfinished measurement, to resume at `resume_at`."""
    at = format_time(call.now)
    return Measurement(RUNNING, "", at, metadata=dict(metadata), resume_at=format_time(resume_at))


def ended(
    call: MeasurementRequest, measurement: Measurement, phase: str, message: str = "", value: str = ""
) -> Measurement:
    """The finished measurement."""
    return msgspec.structs.replace(
        measurement, phase=phase, message=message, value=value or measurement.value, finished_at=format_time(call.now)
    )
