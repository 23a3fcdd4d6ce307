from fractions import Fraction

import pytest

from serinus.api.values.quantity import canonical, parse


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("0.5", "500m"),
        ("1Gi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000k", "1M"),
        ("1", "1"),
        ("1500m", "1500m"),
        ("0", "0"),
        ("0Mi", "0"),
        ("0.000", "0"),
        ("1e3", "1e3"),
        ("1000e3", "1e6"),
        ("2E", "2E"),
        ("20e-1", "2"),
        ("2e0", "2e0"),
        ("1E3", "1E3"),
        ("100E", "100E"),
        ("8Ki", "8Ki"),
        ("1000000Ki", "1000000Ki"),
        ("512", "512"),
        ("-5", "-5"),
        ("0.1n", "1n"),
        ("1.1Ki", "1126400m"),
        ("0.5Ki", "512"),
        ("16Ei", "9223372036854775807"),
        ("9000E", "9000E"),
        (1, "1"),
        (0.5, "500m"),
        (1e16, "10P"),
        (1e-5, "10u"),
        (2.0, "2"),
        (" 5 ", "5"),
    ],
)
def test_a_quantity_is_written_as_kubernetes_writes_it(typed: str | float, written: str):
    """Pod template hashes include this text: another text would restart all pods."""
    assert canonical(typed) == written


@pytest.mark.parametrize("typed", ["1.500", "+1", "01", "1Mi"])
def test_text_that_looks_canonical_stays_as_typed(typed: str):
    """Kubernetes skips the rewriting for such text, so the hash must see it unchanged too."""
    assert canonical(typed) == typed


@pytest.mark.parametrize(
    ("one", "other"), [("1000m", "1"), ("1024Mi", "1Gi"), ("1.500", "1500m"), ("1e3", "1k"), ("+1", 1), ("0.1n", "1n")]
)
def test_equal_amounts_are_equal_however_they_are_typed(one: str, other: str | int):
    assert parse(one) == parse(other)


def test_amounts_are_exact_and_in_the_base_unit():
    assert parse("1.5Gi") == 1536 * 1024 * 1024
    assert parse("-250m") == Fraction(-1, 4)


@pytest.mark.parametrize("typed", ["", "abc", "m", "1 2", "1Zi", "1mi", "1e", "1ee3", "1.2.3", "--1", "1e99999999999"])
def test_what_is_no_quantity_is_refused_with_the_text_found(typed: str):
    with pytest.raises(ValueError, match="is no quantity") as refused:
        canonical(typed)
    assert repr(typed) in str(refused.value)


@pytest.mark.parametrize("text", ["1" * 5_000, "1" * 5_000 + "x", "1." + "0" * 5_000, "k" * 5_000])
def test_a_quantity_of_any_length_is_answered_at_once(text: str):
    with pytest.raises(ValueError, match="letters, and at most 100 are read"):
        parse(text)
