"""The values of the Helm chart: each is documented, has a schema, and a wrong one is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.support.instance.live import REPOSITORY

Json = dict[str, Any]
CHART = REPOSITORY / "install" / "helm" / "serinus"
VALUES: Json = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: Json = json.loads((CHART / "values.schema.json").read_text())
WHOLE = ("resources", "dashboard.resources")
"""Objects of Kubernetes, whose fields are not the chart's."""


def leaves(values: Json, path: str = "") -> Iterator[str]:
    """The paths of all values, as `--set` has them."""
    for key, value in values.items():
        here = f"{path}{key}"
        if isinstance(value, dict) and here not in WHOLE:
            yield from leaves(value, f"{here}.")
        else:
            yield here


def in_schema(schema: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, description) of all values in the schema."""
    for key, value in schema["properties"].items():
        here = f"{path}{key}"
        if "properties" in value:
            yield from in_schema(value, f"{here}.")
        elif here != "global":
            yield here, value.get("description", "")


def test_each_value_has_a_schema_with_a_description_and_no_other_has() -> None:
    found = dict(in_schema(SCHEMA))
    assert sorted(found) == sorted(leaves(VALUES))
    assert [path for path, description in found.items() if not description] == []


def test_each_value_is_in_the_documentation() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`([A-Za-z.]+)`", page))
    below = {path: path.removeprefix("dashboard.") for path in leaves(VALUES)}
    missing = [path for path, short in below.items() if not named & {path, short, short.partition(".")[0]}]
    assert missing == [], "docs/operations.md has a table of the chart's values"


def errors(**values: Any) -> list[str]:
    """Those of the chart's values with these in their place; `a__b` is the path a.b."""
    merged = json.loads(json.dumps(VALUES))
    for path, value in values.items():
        *parents, last = path.split("__")
        place = merged
        for parent in parents:
            place = place[parent]
        place[last] = value
    return [error.message for error in jsonschema_rs.validator_for(SCHEMA).iter_errors(merged)]


def test_the_chart_s_own_values_are_valid_and_so_are_those_of_a_chart_above_it() -> None:
    assert errors() == []
    digest = "sha256:" + "0" * 64
    peers = [{"podSelector": {"matchLabels": {"app": "proxy"}}}]
    assert errors(image__tag=1.25, instanceId=2, image__digest=digest, dashboard__networkPolicy__from=peers) == []
    assert errors(**{"global": {"imageRegistry": "x"}}) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replicas", "two"),
        ("replicas", -1),
        ("namespaced", "yes"),
        ("image__digest", "sha256:123"),
        ("image__repositry", "registry.example/serinus"),
        ("resources__limit", {"memory": "1Gi"}),
        ("dashboard__url", "rollouts.example.com"),
        ("dashboard__args", ["oidc"]),
        ("dashboard__groups", "dev"),
    ],
)
def test_a_wrong_value_or_an_unknown_name_is_refused(path: str, value: object) -> None:
    assert len(errors(**{path: value})) == 1
