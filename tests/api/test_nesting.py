"""Depth is bounded before anything recursive reads a text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api.nesting import DEEPEST, nests_too_deep, too_deep

JSON = st.recursive(
    st.none() | st.text('[]{}"\\a', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"', max_size=2), inner, max_size=3),
)


def depth(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


@given(JSON, st.integers(0, 5))
def test_text_and_value_are_judged_by_their_depth(value: Any, most: int):
    assert too_deep(json.dumps(value), most) == nests_too_deep(value, most) == (depth(value) > most)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_what_would_exhaust_a_decoder_is_found_by_its_text(text: str):
    assert too_deep(text)


@pytest.mark.parametrize(
    "text", ["", "1", '"' + "[" * 500 + '"', "[]," * 500, "]" * 500, "[" * DEEPEST + "]" * DEEPEST]
)
def test_what_a_decoder_can_take_is_left_to_it(text: str):
    assert not too_deep(text)
