"""The schema, the index and the files match the providers they are generated from."""

from __future__ import annotations

import runpy
from pathlib import Path

import msgspec
import pytest

from serinus.analysis.providers import registry
from serinus.api.analysis import Metric

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "write_providers.py"))
REMEDY = "run python tools/write_providers.py and python tools/write_install.py"


@pytest.mark.parametrize(("path", "made"), [("FIELDS", "fields"), ("INDEX", "index")])
def test_the_schema_and_the_index_are_those_of_the_providers(path: str, made: str) -> None:
    text = TOOL[path].read_text()
    assert TOOL[made](text) == text, f"{TOOL[path].name} is out of date: {REMEDY}"


@pytest.mark.parametrize("key", registry.providers())
def test_a_metric_finds_its_provider_by_the_name_of_the_file(key: str) -> None:
    """Otherwise a metric would have to import all providers."""
    found = registry.known(key)
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize("key", ["http", "registry", "acme/job", "acme/http", "../job", "", "Job"])
def test_no_other_module_is_taken_for_a_provider(key: str) -> None:
    assert registry.known(key) is None


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ({"nagios": {}}, [("provider", "no provider 'nagios': it is one of cloudWatch, ")]),
        ({}, [("provider", "no provider specified")]),
        ({"web": {"url": 1}}, [("provider.web.url", "Expected `str`, got `int`")]),
        ({"datadog": {}}, [("provider.datadog", "Must have either a query or queries.")]),
        ({"datadog": {"query": "{{args.q}}", "formula": "x"}}, []),
        ({"plugin": {"acme/own": {"a": 1}}}, []),
        (
            {"plugin": {"serinus.dev/sequential": {"counts": 5}}},
            [("provider.plugin.serinus.dev/sequential.counts", "Expected `object`, got `int`")],
        ),
        ({"plugin": {"serinus.dev/sequential": {"counts": "{{args.counts}}"}}}, []),
    ],
)
def test_what_is_wrong_with_a_providers_part_names_the_field(
    provider: dict[str, object], said: list[tuple[str, str]]
) -> None:
    found = list(registry.problems(msgspec.convert({"name": "m", "provider": provider}, Metric)))
    assert [field for field, _ in found] == [field for field, _ in said]
    assert all(text.startswith(start) for (_, text), (_, start) in zip(found, said, strict=True))
