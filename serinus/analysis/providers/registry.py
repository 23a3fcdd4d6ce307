"""The registry of providers: each module of this folder with a `PROVIDER`. There is no list of names.

The module of a provider is named after its key: `newRelic` is new_relic.py, `serinus.dev/sequential` is sequential.py.
So a metric imports only its own provider.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from serinus.analysis.providers import __path__ as folder
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.provider import Provider, configured, path_of
from serinus.api.analysis import Metric
from serinus.api.decoding.reading import converted

AnyProvider = Provider[Any]


@cache
def _modules() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(folder))


def module_of(key: str) -> str:
    """The name of the module of the provider with this key."""
    name = key.rpartition("/")[2]
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@cache
def loaded(module: str) -> AnyProvider | None:
    """The provider of a module of this folder; None if it has none."""
    return getattr(importlib.import_module(f"serinus.analysis.providers.{module}"), "PROVIDER", None)


@cache
def providers() -> dict[str, AnyProvider]:
    """All providers by key. This imports every module of the folder."""
    loadable = [provider for module in sorted(_modules()) if (provider := loaded(module)) is not None]
    return {provider.key: provider for provider in loadable}


def known(key: str) -> AnyProvider | None:
    """The provider with this key; None if there is none."""
    module = module_of(key)
    candidate = loaded(module) if module in _modules() else None
    return candidate if candidate is not None and candidate.key == key else None


def provider(key: str) -> AnyProvider:
    """The provider with this key. ProviderError if there is none."""
    candidate = known(key)
    if candidate is None:
        keys = ", ".join(sorted(key for key in providers() if "/" not in key))
        raise ProviderError("no provider ", f"{key!r}: it is one of {keys}")
    return candidate


def provider_of(metric: Metric) -> AnyProvider:
    """The provider that a metric names. ProviderError if it names none, an unknown one or several."""
    keys = [key for key, config in metric.provider.items() if config is not None]
    if len(keys) != 1:
        raise ProviderError("no provider specified" if not keys else "multiple providers specified")
    return _built_in(metric) or provider(keys[0])


def _built_in(metric: Metric) -> AnyProvider | None:
    """Serinus's own provider under `plugin`; None for other plugins."""
    plugins = metric.provider.get("plugin")
    names = [name for name in plugins if "/" in name] if isinstance(plugins, dict) else []
    return next((candidate for name in names if (candidate := known(name)) is not None), None)


def problems(metric: Metric) -> Iterator[tuple[str, str]]:
    """(field of the metric, error) of its provider's part. Values with placeholders are not checked."""
    try:
        used = provider_of(metric)
    except ProviderError as error:
        yield "provider", str(error)
        return
    part = configured(metric, used.key) or {}
    open_values = b"{{" in msgspec.json.encode(part)
    if open_values and "/" in used.key:
        return  # numbers may be arguments there: no schema forbids it
    try:
        config = converted(part, used.config)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$.")
        yield f"{path_of(used.key)}{'.' + where.rstrip('`') if where else ''}", problem
        return
    if not open_values:
        yield from ((path_of(used.key), problem) for problem in used.validate(config))
