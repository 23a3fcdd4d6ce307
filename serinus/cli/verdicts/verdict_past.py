"""The past of a service, by the queries of its AnalysisTemplate: `serinus verdict calibrate -f`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from serinus.analysis.arguments import argument_values
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import Room
from serinus.analysis.providers.counts import NoCounts
from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.past_counts import past_looks
from serinus.analysis.providers.provider import Cluster, ProviderContext
from serinus.analysis.sequential.looks import FIELDS, Look
from serinus.analysis.sequential.metric import SequentialMetric, configuration, sequential_metric
from serinus.analysis.sequential.settings import SetupError
from serinus.analysis.templating import names_in, with_arguments
from serinus.api.analysis import AnalysisTemplate, Argument, Metric
from serinus.api.decoding.reading import converted
from serinus.api.messages.counted import counted
from serinus.cli.framework.errors import Problem
from serinus.cli.manifests import manifests

if TYPE_CHECKING:
    from serinus.api.meta import Json
    from serinus.api.resources import Resource
    from serinus.kube.configuration.config import Flags
    from serinus.kube.http.https import HttpsHandler

KINDS = ("AnalysisTemplate", "ClusterAnalysisTemplate")


class PastCredentials:
    """The cluster whose Secrets hold credentials of a provider. It is connected to at the first Secret that is read: the
    address of Prometheus, or the environment, may be enough.

    `namespace`: the controller's, with its Secrets. `own`: of a Secret that the template calls `namespaced`.
    """

    def __init__(self, flags: Flags, namespace: str, own: str) -> None:
        self._flags, self.namespace, self.own = flags, namespace, own
        self._handler: HttpsHandler | None = None

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json:
        from serinus.kube.client import Client
        from serinus.kube.configuration.config import load
        from serinus.kube.http.https import HttpsHandler

        if self._handler is None:
            self._handler = HttpsHandler(load(self._flags))
        return await Client(self._handler).get(resource, name, namespace)

    async def close(self) -> None:
        if self._handler is not None:
            await self._handler.close()


def looks_of_past(
    filename: str, name: str, arguments: Sequence[str], past: float, secrets: PastCredentials
) -> tuple[list[Look], int, SequentialMetric]:
    """(looks of the last `past` seconds, times without counts, the metric). `name`: of the metric, "" for the only one.

    The canary's queries are skipped if they need an argument that is not given. Only the stable version is read then.
    Problem names the invalid field, query or argument.
    """
    template, metric = _metric(filename, name)
    given = dict(_argument(text) for text in arguments)
    known = [Argument(arg.name, given.get(arg.name, arg.value)) for arg in template.spec.args]
    unknown = {arg.name for arg in known if arg.value is None}
    config = configuration(metric) or {}
    counts: dict[str, Any] = config.get("counts") or {}
    fields = [field for field in FIELDS if not unknown & names_in(_query(counts, field))]
    if "stable.requests" not in fields or "stable.errors" not in fields:
        raise Problem(
            f"metric {metric.name}: the stable version's queries need {' and '.join(sorted(unknown)) or 'to be there'}",
            "Give each argument a value of the past, such as --arg stable=HASH.",
        )
    values = argument_values([Argument(arg.name, arg.value or "") for arg in known], None)
    try:
        sequential = sequential_metric(with_arguments(metric, values, Room()))
        return (
            *_asked(sequential, [field for field in fields if field in sequential.queries], past, secrets),
            sequential,
        )
    except (AnalysisProblem, SetupError, NoCounts) as error:
        raise Problem(f"metric {metric.name}: {error}") from None


def _asked(
    metric: SequentialMetric, fields: Sequence[str], past: float, secrets: PastCredentials
) -> tuple[list[Look], int]:
    end = time.time() // metric.interval * metric.interval

    async def asked() -> tuple[list[Look], int]:
        http = Http()
        try:
            reach = ProviderContext(http, cast(Cluster, secrets), time.time, secrets.namespace, os.environ)
            return await past_looks(metric, fields, end - past, end, reach, secrets.own)
        finally:
            await http.close()
            await secrets.close()

    return asyncio.run(asked())


def _query(counts: dict[str, Any], field: str) -> str:
    side, _, number = field.partition(".")
    part = counts.get(side)
    return str(part.get(number) or "") if isinstance(part, dict) else ""


def _argument(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Problem(f"--arg {text}: write NAME=VALUE")
    return name, value


def _metric(filename: str, name: str) -> tuple[AnalysisTemplate, Metric]:
    candidates: list[tuple[AnalysisTemplate, Metric]] = []
    for manifest in manifests(filename):
        if manifest.obj.get("kind") in KINDS:
            try:
                template = converted(manifest.obj, AnalysisTemplate)
            except msgspec.ValidationError as error:
                raise Problem(f"{filename}: {error}") from None
            sequential = [metric for metric in template.spec.metrics if configuration(metric) is not None]
            candidates += [(template, metric) for metric in sequential if name in ("", metric.name)]
    if len(candidates) != 1:
        names = ", ".join(metric.name for _, metric in candidates)
        named = f" named {name}" if name else ""
        raise Problem(
            f"{filename} has {counted(len(candidates), 'metric')} with a sequential verdict{named}: {names or 'none'}",
            "Name one with --metric." if candidates else "",
        )
    return candidates[0]
