"""The providers there are. A new one is its file and a line here; it is imported when a metric first uses it."""

from __future__ import annotations

import importlib
from functools import cache

from serinus.analysis.providers.provider import Provider
from serinus.analysis.providers.trouble import ProviderError
from serinus.analysis.sequential.metric import PLUGIN, configuration
from serinus.api.analysis import Metric

PROVIDERS = {
    "web": "web:Web",
    "prometheus": "prometheus:Prometheus",
    "job": "job:Job",
    "datadog": "datadog:Datadog",
    "newRelic": "new_relic:NewRelic",
    "wavefront": "wavefront:Wavefront",
    "cloudWatch": "cloud_watch:CloudWatch",
    "graphite": "graphite:Graphite",
    "influxdb": "influxdb:Influxdb",
    "skywalking": "skywalking:SkyWalking",
    "kayenta": "kayenta:Kayenta",
    "plugin": "plugin:Plugin",
}
"""Key in `provider` -> module of this package and class."""

BUILT_IN = {PLUGIN: "sequential:SequentialVerdicts"}
"""Plugins that are part of Serinus: name behind `plugin` -> module and class."""


@cache
def provider(name: str) -> Provider:
    """The provider with this key. ProviderError if there is none."""
    found = BUILT_IN.get(name) or PROVIDERS.get(name)
    if found is None:
        known = ", ".join(sorted(PROVIDERS))
        raise ProviderError("no provider ", f"{name!r}: it is one of {known}")
    module, _, kind = found.partition(":")
    return getattr(importlib.import_module(f"serinus.analysis.providers.{module}"), kind)()


def provider_of(metric: Metric) -> Provider:
    """The provider that a metric asks. ProviderError if it names none that there is, or several."""
    names = [name for name, config in metric.provider.items() if config is not None]
    if len(names) != 1:
        raise ProviderError("no provider specified" if not names else "multiple providers specified")
    return provider(PLUGIN if configuration(metric) is not None else names[0])
