"""The depth is limited before any recursive code reads a text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api.decoding.nesting import CUT, DEEPEST, TOO_DEEP, nests_too_deep, too_deep, without_deep

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


def cut(value: Any, most: int) -> Any:
    if not isinstance(value, list | dict):
        return value
    if most == 0:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: cut(item, most - 1) for key, item in value.items()}
    return [cut(item, most - 1) for item in value]


@given(JSON, st.integers(0, 5))
def test_what_is_too_deep_is_replaced_and_nothing_else(value: Any, most: int):
    assert json.loads(without_deep(json.dumps(value).encode(), most)) == cut(value, most)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b"]" * 100_000, b'"[[[', b"[" * 500 + b"]" * 300])
def test_text_that_is_no_json_is_cut_as_well(text: bytes):
    assert not too_deep(without_deep(text)) or CUT in without_deep(text)
