"""The recorded plays with notifications, in virtual time: every request that receivers get, and where ours differ on purpose."""

from __future__ import annotations

import functools
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from tests.support.plays.player import Played, play
from tests.support.plays.recordings import RECORDINGS, read_trace

Json = dict[str, Any]
FOLDER = RECORDINGS / "notifications"

LIFE = [
    ("ch", "web Progressing step 4"),  # updated: the first version has its status already
    ("ch", "web Healthy step 4"),  # completed: not before its pods are available
    ("ch", "web Progressing step 0"),  # updated
    ("ch", "web Paused step 1"),  # step completed
    ("ch", "web Paused step 1"),  # paused
]

OURS: dict[str, list[tuple[str, str]]] = {
    # The reference reports each of these with the status before it.
    "notify-life": [
        *LIFE,
        ("ch", "web Progressing step 2"),  # resumed, and step completed: one status
        ("ch", "web Paused step 3"),
        ("ch", "web Paused step 3"),
        ("ch", "web Healthy step 4"),
        ("ch", "web Healthy step 4"),
        ("ch", "web Healthy step 4"),
    ],
    "notify-abort": [
        *LIFE,
        ("ch", "web Degraded step 0"),  # aborted
        ("ch", "web Paused step 1"),
        ("ch", "web Paused step 1"),
    ],
    # The reference reports generation 5 before that update has begun, and never its completion.
    "notify-when": [
        ("a", "web is Healthy at 1"),
        ("b", "web is Healthy at 1"),
        ("a", "web is Healthy at 3"),
        ("b", "web is Healthy at 3"),
    ],
    # Paused and Degraded are one condition that stays true.
    "notify-condition": [("a", "Paused CanaryPauseStep"), ("a", "Paused CanaryPauseStep")],
    # The reference sends nothing at all.
    "notify-broken-key": [("a", "paused")],
    # The reference reads `y` as true.
    "notify-lists": [("d", "d"), ("ops", "ops"), ("x", "x"), ("y", "y")],
    "notify-analysis": [("a", "web: web-77f97bbcbf-2-1 Failed;")] * 2,
    "notify-bluegreen": [("ch", "m web")] * 3,
}
AS_IN_THE_REFERENCE = ("notify-webhook", "notify-down")


@functools.cache
def ours(name: str) -> Played:
    return play(name, yaml.safe_load((FOLDER / "scenarios" / f"{name}.yaml").read_text()))


def requests(trace: list[Json]) -> list[Json]:
    return [line for line in trace if "asked" in line and not line["asked"].startswith("GET /value")]


def forms(trace: list[Json]) -> list[dict[str, str]]:
    return [{name: values[0] for name, values in parse_qs(line["body"]).items()} for line in requests(trace)]


def test_every_recorded_play_is_looked_at() -> None:
    assert {*OURS, *AS_IN_THE_REFERENCE} == {file.stem for file in (FOLDER / "scenarios").glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(OURS))
def test_slack_is_told(name: str) -> None:
    played = ours(name)
    assert played.troubles == []
    told = [(form["channel"], form.get("text", "")) for form in forms(played.trace)]
    # The order is fixed for each destination only.
    assert sorted(told, key=lambda one: one[0]) == sorted(OURS[name], key=lambda one: one[0])
    assert all(line["asked"] == "POST /api/chat.postMessage" for line in requests(played.trace))
    assert all(form["token"] == "xoxb-none" for form in forms(played.trace))


def test_slack_sections_are_those_of_the_reference() -> None:
    recorded = forms(read_trace(FOLDER / "argo-rollouts" / "notify-bluegreen.jsonl"))
    for mine, theirs in zip(forms(ours("notify-bluegreen").trace), recorded, strict=True):
        attachments = [{k: v for k, v in one.items() if v is not None} for one in json.loads(theirs["attachments"])]
        assert json.loads(mine["attachments"]) == attachments
        assert {**mine, "attachments": ""} == {**theirs, "attachments": ""}


@pytest.mark.parametrize("name", AS_IN_THE_REFERENCE)
def test_webhooks_are_asked_as_in_the_reference(name: str) -> None:
    played = ours(name)
    recorded = requests(read_trace(FOLDER / "argo-rollouts" / f"{name}.jsonl"))
    assert played.troubles == []
    assert [{**one, "t": 0} for one in requests(played.trace)] == [{**one, "t": 0} for one in recorded]


def test_a_receiver_that_fails_does_not_hold_the_release() -> None:
    """The pause is in the status in the moment of the first attempt; the reference writes it after the last."""
    played = ours("notify-down")
    first, *_, last = (line["t"] for line in requests(played.trace))
    paused = next(
        line["t"] for line in played.trace if "Paused" in str(line.get("status.conditions.Paused")) and line["t"] > 1
    )
    assert paused <= first + 0.1 < last
    sent = [line for line in played.trace if line.get("event") == "Normal NotificationSent"]
    assert [line["message"] for line in sent] == ["on-rollout-paused was sent to hook:"]


def test_a_broken_key_is_named() -> None:
    events = [line for line in ours("notify-broken-key").trace if "Notification" in str(line.get("event"))]
    assert [line["event"] for line in events] == ["Warning NotificationFailed", "Normal NotificationSent"]
    assert "template.bad: message: line 1: bad character U+005B '['" in events[0]["message"]
