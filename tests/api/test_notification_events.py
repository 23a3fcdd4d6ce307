"""Events about notifications, read back as the messages that they report."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import NOTIFICATION_PENDING
from serinus.view.notification_events import outcome, refusing, sendings, waiting


def event(number: int, message: str, reason: str = "NotificationFailed", count: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": str(number)},
        "reason": reason,
        "message": message,
        "lastTimestamp": f"2026-01-01T00:00:{number:02}Z",
        "count": count,
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("on-x was sent to slack:ch", ("sent", "on-x", "slack:ch", "")),
        ("on-x was sent to hook:", ("sent", "on-x", "hook:", "")),
        (
            "on-x was not sent to slack:ch: Slack answered: no: y",
            ("failed", "on-x", "slack:ch", "Slack answered: no: y"),
        ),
        (
            "on-x could not be sent to email:a@b.c yet: no answer. It is tried again until 1.",
            ("waits", "on-x", "email:a@b.c", "no answer. It is tried again until 1."),
        ),
    ],
)
def test_what_an_event_reports(message: str, expected: tuple[str, ...]) -> None:
    (found,) = sendings([event(1, message)])
    assert (found.state, found.trigger, found.to, found.why) == expected


def test_other_events_report_no_message() -> None:
    assert sendings([event(1, "on-x was sent to a:b", "RolloutPaused"), event(2, "else")]) == []


def test_a_destination_that_took_a_later_message_does_not_refuse() -> None:
    found = sendings(
        [
            event(1, "on-x was not sent to slack:a: no"),
            event(2, "on-x was sent to slack:a", "NotificationSent"),
            event(3, "on-x was sent to slack:b", "NotificationSent"),
            event(4, "on-y was not sent to slack:b: gone", count=3),
        ]
    )
    assert [(one.to, one.why, one.count) for one in refusing(found)] == [("slack:b", "gone", 3)]


def test_messages_that_wait_come_first_with_the_reason() -> None:
    annotations = {NOTIFICATION_PENDING: '[{"t":"on-x","i":0,"s":"slack","r":"a","a":7,"e":["R","m","Normal"]}]'}
    events = [
        event(1, "on-x was sent to slack:b", "NotificationSent"),
        event(2, "on-x could not be sent to slack:a yet: down"),
    ]
    assert [(one.state, one.to, one.why) for one in outcome(events, annotations)] == [
        ("waits", "slack:a", "down"),
        ("sent", "slack:b", ""),
    ]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", 7])
def test_an_annotation_that_cannot_be_read_lists_nothing(text: Any) -> None:
    assert waiting({NOTIFICATION_PENDING: text}) == waiting(None) == []
