"""Times as the API writes them."""

from __future__ import annotations

import pytest

from serinus.api.values.times import format_deadline, format_time, parse_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "1970-01-01T00:00:00Z"),
        (1_800_000_000.5, "2027-01-15T08:00:00Z"),
        (1e15, "9999-12-31T23:59:59Z"),
        (-1e15, "0001-01-01T00:00:00Z"),
        (float("inf"), "9999-12-31T23:59:59Z"),
    ],
)
def test_a_time_is_always_one_that_can_be_read(seconds: float, text: str):
    assert format_time(seconds) == text
    assert parse_time(format_deadline(seconds)) is not None
