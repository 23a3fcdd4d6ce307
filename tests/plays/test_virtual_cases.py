"""Inputs from public bug reports, in virtual time: each names a kind of fault. The live ones are in tests/e2e/test_cases.py."""

from __future__ import annotations

import pytest

from tests.support.long import few
from tests.support.plays.cases import LIVE_ONLY, case, cases, failures

VIRTUAL = [name for name in cases() if name not in LIVE_ONLY]


@pytest.mark.parametrize("name", few(VIRTUAL, VIRTUAL[::3]))
def test_a_reported_fault_does_not_happen_here(name: str):
    assert not (wrong := failures(case(name))), "\n".join([case(name)["about"], *wrong])


def test_every_case_is_played():
    assert len(cases()) == 27
    assert set(LIVE_ONLY) <= set(cases())


def test_a_case_can_fail():
    """The question at the end of the play, and one that is checked all the time."""
    held = case("going-back-is-told")
    (phase, *_), nothing = (
        held["expect"],
        [{"get": "rollout web -o jsonpath={.status.nothing}", "is": "x", "within": 1}],
    )
    wrong = failures({**held, "expect": nothing, "never": [phase]})
    assert [line.split(":")[0] for line in wrong] == ["happened", "{'get'"]
