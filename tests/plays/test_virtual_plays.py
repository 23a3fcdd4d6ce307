"""The recorded plays in virtual time: they end and run as in Argo Rollouts, except for the list in docs/differences.yaml.

The live ones are in tests/e2e/test_plays.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plays.passing import only_passes_by
from tests.support.plays.player import played
from tests.support.plays.recordings import all_listed, compared, few_of, lacking, lists, plays, router_plays, surprises


@pytest.mark.parametrize("name", few_of([*plays(), *router_plays()]))
def test_a_play_ends_and_goes_as_in_argo_rollouts_or_as_the_list_of_differences_says(name: str, tmp_path: Path):
    if absent := lacking(name):
        pytest.skip(f"Serinus does not have the router {', '.join(absent)} yet")
    ours = tmp_path / "trace.jsonl"
    done = played(name)
    ours.write_text(done.text + "\n")
    late = [line["do"] for line in done.trace if str(line.get("do")).startswith("wait timed out")]
    wrong = [*late, *done.troubles, *surprises(name, compared(name, ours))]
    assert not wrong, "\n".join(wrong)


def test_every_play_is_played():
    assert (len(plays()), len(router_plays())) == (71, 53)


def test_a_listed_difference_names_plays_that_there_are_and_gives_its_reason_to_people_too():
    page = "".join(page.read_text() for page in lists())
    for row in all_listed():
        assert set(row.plays) <= {*plays(), *router_plays()}
        assert row.why
        assert all(pattern.startswith("WAY ") for pattern in row.live), "an end never depends on the machine"
        assert not (missing := [name for name in row.plays if row.lines and name not in page]), missing


def test_a_difference_that_is_not_listed_and_a_listed_one_that_is_gone_are_both_told():
    """The comparison itself must be able to fail."""
    report = "WAY   ReplicaSet/web-1 replicas\n        reference [1]\n        ours      [2]\n1 differences\n"
    new, gone = surprises("nginx-restart", report)
    assert new == "nginx-restart: not listed: WAY ReplicaSet/web-1 replicas | reference [1] | ours [2]"
    assert gone.startswith("nginx-restart: listed, but no longer so: ")


WEIGHT = "WAY Ingress/web-web-canary annotations.nginx.ingress.kubernetes.io/canary-weight | reference ['0', '20', '50', '70', '0']"


@pytest.mark.parametrize(("seen", "may"), [("[0, 2, 0]", True), ("[2, 0]", False), ("[0, 3, 0]", False)])
def test_a_live_play_may_show_a_size_that_passes_by_and_no_other(seen: str, may: bool):
    """Without surge a new ReplicaSet is empty until an old pod has gone."""
    line = f"WAY ReplicaSet/web-77f97bbcbf replicas | reference [1, 2, 0] | ours {seen}"
    assert only_passes_by("basic-unavailable", line) is may


@pytest.mark.parametrize(
    ("seen", "may"),
    [
        ("['0', '20', '50', '70', '100', '0']", True),
        ("['0', '20', '50', '0']", False),
        ("['0', '20', '50', '70', '80', '0']", False),
        ("['0', '20', '50', '70', '0', '100', '0']", False),
    ],
    ids=["what passes by stands", "a step is missing", "a weight that never was", "another order"],
)
def test_a_live_play_may_show_what_passes_by_and_nothing_else(seen: str, may: bool):
    """At the end of a walk all weight is on the canary for a moment."""
    assert only_passes_by("nginx-walk", f"{WEIGHT} | ours {seen}") is may
