"""The comparison at the end of the second act, from the results of the rules alone."""

from __future__ import annotations

from serinus.cli.demos.demo_verdict import VerdictOutcome


def test_each_rule_has_its_looks_and_its_decision():
    thresholds = {"95-percent-of-new": (0, 7), "99-percent-of-new": (7, 7), "99-percent-of-old": (4, 7)}
    text = "\n".join(VerdictOutcome(verdict="harm", looks=4, thresholds=thresholds).lines())
    assert "0 of 7 looks fail: would miss it" in text
    assert "7 of 7 looks fail: would abort it" in text
    assert "4 of 7 looks fail: would abort a good version" in text
    assert "harm after 4 looks: aborted" in text


def test_a_threshold_without_a_look_is_said_to_have_decided_nothing():
    """An early verdict may come before the first look of a threshold."""
    text = "\n".join(VerdictOutcome(verdict="harm", looks=1, thresholds={}).lines())
    assert "would" not in text
    assert text.count("no look before the verdict") == 3
    assert "harm after 1 look: aborted" in text
