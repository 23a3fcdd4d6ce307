"""The actions offered in each state, in words and as a command for the shell."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from serinus.dashboard.actions import command, image_change, offers, rollback
from serinus.dashboard.rights import SPEC, STATUS, WORKLOAD
from serinus.view.rollout_info import Surroundings, rollout_info
from tests.support.dashboard import scenes

Json = dict[str, Any]

UNDER_WAY = {"promote", "promote-full", "abort", "pause", "restart"}


def stored(rollout: Json) -> tuple[Json, Surroundings]:
    """The Rollout and its ReplicaSets as an API server has them."""
    found: list[Json] = []

    def put(obj: Json) -> Json:
        obj["metadata"]["uid"] = f"uid-{obj['metadata']['name']}"
        found.append(obj)
        return obj

    scenes.with_revisions(put, rollout)
    sets, pods = ([obj for obj in found if obj["kind"] == kind] for kind in ("ReplicaSet", "Pod"))
    return found[0], Surroundings(replica_sets=sets, pods=pods)


@pytest.mark.parametrize(
    ("made", "possible"),
    [
        (scenes.rollout(), UNDER_WAY),
        (scenes.rollout(phase="Progressing", message="more replicas need to be updated"), UNDER_WAY),
        (scenes.healthy(), {"pause", "restart"}),
        (scenes.aborted(), {"retry", "pause", "restart"}),
        (scenes.rollout(spec={"paused": True}), UNDER_WAY - {"pause"}),
    ],
    ids=["paused", "progressing", "healthy", "aborted", "paused by hand"],
)
def test_only_what_makes_sense_is_possible_and_the_rest_says_why_not(made: Json, possible: set[str]) -> None:
    rollout, around = stored(made)
    found = offers(rollout, rollout_info(rollout, around), {})
    assert {offer.id for offer in found if not offer.blocked} == possible
    assert all(offer.blocked or offer.id in possible for offer in found)
    assert all(offer.effect and offer.command for offer in found)


def test_a_full_promotion_counts_what_it_skips() -> None:
    steps = [{"setWeight": 20}, {"pause": {}}, {"analysis": {"templates": [{"templateName": "t"}]}}, {"setWeight": 50}]
    made = scenes.rollout()
    made["spec"]["strategy"]["canary"]["steps"] = steps
    rollout, around = stored(made)
    full = next(o for o in offers(rollout, rollout_info(rollout, around), {}) if o.id == "promote-full")
    assert full.effect.startswith("100 % of web goes to revision 2")
    assert full.effect.endswith("3 steps, 1 of them analyses, skipped.")


def test_a_missing_right_hides_exactly_what_needs_it() -> None:
    rollout, around = stored(scenes.rollout())
    info = rollout_info(rollout, around)
    without_status = {o.id for o in offers(rollout, info, {STATUS: "no"}) if o.hidden}
    assert without_status == {"promote", "promote-full", "abort", "retry"}
    assert {o.id for o in offers(rollout, info, {SPEC: "no"}) if o.hidden} == {"pause", "restart"}
    old = next(rs for rs in info.replica_sets if rs.revision == 1)
    assert rollback(info, old, {SPEC: "no"}, referenced=False).hidden
    assert not rollback(info, old, {SPEC: "no"}, referenced=True).hidden
    assert image_change(info, "web", {WORKLOAD: "no"}, referenced=True).hidden


@pytest.mark.parametrize("name", ["web", "a b", "$(rm -rf ~)", "it's", "`x`"])
def test_a_command_can_be_pasted_whatever_the_name(name: str) -> None:
    for action in (*UNDER_WAY, "retry", "set-image", "undo/3"):
        words = shlex.split(command(action, name, "prod"))
        assert words[:3] == ["kubectl", "argo", "rollouts"]
        assert name in words
        assert words[-2:] == ["-n", "prod"]
