import pytest

from serinus.api.values.durations import go_duration, pause_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("30s", 30),
        ("1m30s", 90),
        ("1h", 3600),
        ("-1.5s", -1.5),
        ("+2m", 120),
        ("300ms", 0.3),
        ("1.s", 1),
        (".5h", 1800),
        ("7us", 7e-6),
        ("7µs", 7e-6),
    ],
)
def test_a_duration_means_what_go_says(text: str, seconds: float):
    assert go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "3 days", "s", ".s", "1d", "1s 2s", "-", "1m30", "9999999999h"])
def test_what_is_no_duration_is_refused_with_the_text_found(text: str):
    with pytest.raises(ValueError, match="duration") as refused:
        go_duration(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(("value", "seconds"), [(3, 3), ("3", 3), ("1m", 60), ("0", 0), (-1, -1), ("1h30m", 5400)])
def test_a_pause_counts_seconds_unless_it_names_a_unit(value: int | str, seconds: float):
    assert pause_seconds(value) == seconds


@pytest.mark.parametrize("text", ["1" * 100_000, "1" * 4_000 + "x", "1m" * 5_000, "." * 100_000, "9" * 101 + "h"])
def test_a_text_of_any_length_is_answered_at_once(text: str):
    """262 bytes of digits once blocked the controller for ever."""
    for read in (go_duration, pause_seconds):
        with pytest.raises(ValueError, match="letters, and at most 100 are read"):
            read(text)


@pytest.mark.parametrize("value", ["9" * 90, 10**400, -(10**30), "9" * 90 + "h"])
def test_what_no_clock_can_count_is_too_long(value: int | str):
    with pytest.raises(ValueError, match="is too long a"):
        pause_seconds(value)


def test_a_pause_that_is_neither_is_refused():
    with pytest.raises(ValueError, match="3 days"):
        pause_seconds("3 days")
