"""The server answers any input: objects of the right field names and any values at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.api.resources import ARGOPROJ, BUILT_IN
from serinus.local.schema.kinds import Kind, Schemas
from serinus.local.schema.nodes import LIST, OBJECT, SchemaNode
from serinus.local.schema.patching.managed_fields import ApplyConflict, ApplyRefused, apply, track
from serinus.local.schema.patching.patches import PatchError, json_patch, merge_patch, strategic_patch
from tests.support.long import examples

Json = dict[str, Any]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70000),
    st.sampled_from(["", "x", "a-b", "25%", "Always", "1Gi", "TCP", "a/b/c", "é"]),
    st.floats(allow_nan=False, allow_infinity=False),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "key", "spec", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def values(draw: st.DrawFn, node: SchemaNode, depth: int = 0) -> Any:
    """Mostly valid values for the schema, sometimes anything."""
    chance = draw(st.integers(0, 11))
    if chance == 0 or depth > 7:
        return draw(ANYTHING)
    if node.shape == OBJECT:
        if not node.fields:
            return draw(
                st.dictionaries(
                    st.sampled_from(["a", "b/c", "app"]),
                    values(node.values, depth + 1) if node.values else ANYTHING,
                    max_size=2,
                )
            )
        names = [n for n in node.required if n in node.fields]
        names += draw(st.lists(st.sampled_from(sorted(node.fields)), max_size=3, unique=True))
        return {name: draw(values(node.fields[name], depth + 1)) for name in names}
    if node.shape == LIST and node.items:
        return draw(st.lists(values(node.items, depth + 1), max_size=2))
    return draw(SCALARS if chance < 3 else st.sampled_from(["x", "a", 1, True]))


def objects(kind: Kind) -> st.SearchStrategy[Json]:
    return values(kind.node).map(
        lambda v: {
            "metadata": {"name": "x"},
            **{k: i for k, i in (v if isinstance(v, dict) else {}).items() if k != "metadata"},
        }
    )


SERVED = [r.kind for r in (*BUILT_IN, *ARGOPROJ) if r.kind != "CustomResourceDefinition"]


@pytest.mark.parametrize("name", SERVED)
def test_no_object_makes_the_server_stumble(name: str, kind: Callable[[str], Kind], schemas: Schemas):
    served = kind(name)

    @settings(max_examples=examples(40), deadline=None, database=None)
    @given(objects(served), objects(served), st.booleans())
    def holds(sent: Json, other: Json, force: bool):
        served.unknown_fields(sent)
        first, second = served.default(served.prune(sent)), served.default(served.prune(other))
        served.validate(first)
        if not served.validate(first):
            served.validate(second, first)
        merge_patch(first, sent)
        json_patch(first, [])
        if not served.custom:
            with contextlib.suppress(PatchError):
                strategic_patch(served, first, sent)
        first["metadata"]["managedFields"] = track(served, None, first, manager="a", now="T")
        track(served, first, second, manager="b", now="T")
        try:
            served.validate(apply(served, first, second, manager="c", force=force, now="T"))
        except ApplyConflict:
            assert not force
        except ApplyRefused:
            pass  # Two items of a list with the same keys, which is as likely here as it is rare elsewhere.

    holds()
