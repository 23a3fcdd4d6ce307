import pytest

from serinus.api.values.int_or_percent import scaled


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [
        (3, 10, 3, 3),
        ("25%", 10, 3, 2),
        ("25", 10, 3, 2),
        ("0%", 10, 0, 0),
        ("100%", 7, 7, 7),
        ("3", 10, 1, 0),
        (None, 10, 3, 2),
        ("25%", 0, 0, 0),
    ],
)
def test_a_number_is_pods_and_text_is_a_percentage(value: int | str | None, total: int, up: int, down: int):
    """Also text without a percent sign: a Rollout written for Argo Rollouts means the same here."""
    assert scaled(value, total, round_up=True, default="25%") == up
    assert scaled(value, total, round_up=False, default="25%") == down


@pytest.mark.parametrize("value", ["", "half", "2.5%", "25 %"])
def test_what_is_no_percentage_is_refused(value: str):
    with pytest.raises(ValueError, match="percentage"):
        scaled(value, 10, round_up=True)
