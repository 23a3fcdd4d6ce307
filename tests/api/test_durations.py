import pytest

from serinus.api.durations import go_duration, pause_seconds


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


def test_a_pause_that_is_neither_is_refused():
    with pytest.raises(ValueError, match="3 days"):
        pause_seconds("3 days")
