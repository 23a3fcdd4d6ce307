"""Which messages are due: the acceptance of subscriptions, triggers, and of an object's record."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.notifications.configuration import Configuration, read_configuration
from serinus.notifications.due import Due, Happening, by_condition, by_event, subscribed
from serinus.notifications.names import trigger_of
from serinus.notifications.state import read_state, written
from serinus.notifications.step_numbers import before_the_step
from serinus.notifications.subscriptions import Destination
from serinus.notifications.templates.template import Template
from serinus.notifications.variables import variables

NAP = "notifications.argoproj.io"
SLACK = Destination("slack", "ch")
PAUSED = Happening("RolloutPaused", "Rollout is paused", "Normal", "RolloutPaused/1")


def configured(**data: str) -> Configuration:
    texts = {"service.slack": "token: a", "template.t": "message: m"} | {
        k.replace("__", "."): v for k, v in data.items()
    }
    return read_configuration("cns", texts, {})


def rollout(**status: Any) -> dict[str, Any]:
    metadata = {"name": "web", "generation": 3, "annotations": {"rollout.argoproj.io/revision": "2"}}
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Healthy", "observedGeneration": "3", **status}}


def targets(
    annotations: dict[str, str], configuration: Configuration, labels: dict[str, str] | None = None
) -> dict[str, list[str]]:
    found, _ = subscribed(configuration, annotations, labels or {})
    return {trigger: [str(to) for to in destinations] for trigger, destinations in found.items()}


def test_triggers_are_named_after_reasons() -> None:
    names = {
        "RolloutStepCompleted": "on-rollout-step-completed",
        "PatchingALBIngress": "on-patching-alb-ingress",
        "AnalysisRunFailed": "on-analysis-run-failed",
        "SkipSteps": "on-skip-steps",
    }
    assert {reason: trigger_of(reason) for reason in names} == names


def test_forms_of_subscriptions() -> None:
    configuration = configured(
        defaultTriggers="[on-a]",
        defaultTriggers__hook="[on-b]",
        subscriptions="- recipients: ['slack:ops']\n  triggers: [on-a]\n  selector: team=a\n- recipients: ['slack:all']\n",
    )
    annotations = {
        f"{NAP}/subscribe.on-a.slack": "a; b ;",
        f"{NAP}/subscribe.on-c.hook": "",
        f"{NAP}/subscribe.slack": "d",
        f"{NAP}/subscribe.hook": "",
        f"{NAP}/subscriptions": "- trigger: [on-d]\n  destinations: [{service: slack, recipients: [x, y]}]\n",
        "other/annotation": "x",
    }
    assert targets(annotations, configuration) == {
        "on-a": ["slack:all", "slack:a", "slack:b", "slack:d"],
        "on-c": ["hook:"],
        "on-b": ["hook:"],
        "on-d": ["slack:x", "slack:y"],
    }
    assert targets({}, configuration, {"team": "a"})["on-a"] == ["slack:ops", "slack:all"]


def test_a_destination_is_told_once_however_often_it_is_subscribed() -> None:
    configuration = configured(
        subscriptions="- recipients: ['slack:ch', 'slack:ch']\n  triggers: [on-rollout-paused]\n",
        trigger__on_rollout_paused="",
    )
    assert targets({f"{NAP}/subscribe.on-rollout-paused.slack": "ch;ch"}, configuration) == {
        "on-rollout-paused": ["slack:ch"]
    }


def test_a_list_that_cannot_be_read_is_named_and_the_rest_counts() -> None:
    annotations = {f"{NAP}/subscriptions": "- trigger: x\n", f"{NAP}/subscribe.on-a.slack": "a"}
    found, problems = subscribed(configured(), annotations, {})
    assert list(found) == ["on-a"]
    assert "expected a list, found a text" in str(problems[0])


def judged(configuration: Configuration, state: dict[str, int], **status: Any) -> tuple[list[Due], tuple[str, ...]]:
    found = {name: [SLACK] for name in configuration.triggers}
    made = by_condition(configuration, found, variables(rollout(**status), {}), state, 1.0)
    return list(made.due), made.over


def test_a_condition_is_told_when_it_becomes_true() -> None:
    configuration = configured(**{"trigger__on-ok": "- when: rollout.status.phase == 'Healthy'\n  send: [t]\n"})
    (due,), over = judged(configuration, {})
    assert (due.key, over) == ("on-ok:[0].qYwPqtSSDQgdyGN38qWobdZi5qc:slack:ch", ())
    assert judged(configuration, {due.key: 1}) == ([], ())
    assert judged(configuration, {due.key: 1}, phase="Paused") == ([], (due.key,))


def test_once_per_keeps_a_condition_told() -> None:
    once = "rollout.metadata.annotations['rollout.argoproj.io/revision']"
    configuration = configured(
        **{"trigger__on-ok": f"- when: rollout.status.phase == 'Healthy'\n  send: [t]\n  oncePer: {once}\n"}
    )
    (due,), _ = judged(configuration, {})
    assert due.key.startswith("2:on-ok:[0].")
    assert judged(configuration, {due.key: 1}, phase="Paused") == ([], ())
    assert judged(configuration, {due.key: 1}) == ([], ())


def test_a_condition_that_fails_is_false_and_is_named() -> None:
    configuration = configured(**{"trigger__on-x": "- when: rollout.nope.x == 1\n  send: [t]\n"})
    made = by_condition(configuration, {"on-x": [SLACK]}, variables(rollout(), {}), {}, 1.0)
    assert made.due == ()
    assert "cannot fetch x from <nil>" in str(made.problems[0])


def test_an_event_is_told_where_its_condition_holds() -> None:
    configuration = configured(
        **{"trigger__on-rollout-paused": "- send: [t]\n- when: rollout.status.phase == 'Paused'\n  send: [t]\n"}
    )
    found = {"on-rollout-paused": [SLACK]}
    for phase, indexes in (("Paused", [0, 1]), ("Healthy", [0])):
        made = by_event(configuration, found, PAUSED, variables(rollout(phase=phase), {}), {}, 1.0)
        assert [due.index for due in made.due] == indexes
    assert by_event(configuration, found, Happening("Other", "", "Normal"), variables(rollout(), {}), {}, 1.0).due == ()


def test_event_and_condition_tell_one_thing_once() -> None:
    configuration = configured(
        **{"trigger__on-rollout-paused": "- when: rollout.status.phase == 'Paused'\n  send: [t]\n"}
    )
    values, found = variables(rollout(phase="Paused"), {}), {"on-rollout-paused": [SLACK]}
    (first,) = by_event(configuration, found, PAUSED, values, {}, 1.0).due
    assert by_condition(configuration, found, values, {}, 1.0, told=lambda key: key == first.key).due == ()
    assert by_event(configuration, found, PAUSED, values, {}, 1.0, told=lambda key: key == first.key).due == ()


def test_the_state_of_the_reference_is_understood_and_stays_small() -> None:
    text = '{"on-ok:[0].qYwPqtSSDQgdyGN38qWobdZi5qc:slack:ch":1700000000}'
    assert written(read_state(text)) == text
    assert read_state("{") == read_state("[]") == {}
    many = {f"{n}:on-ok:[0].x:slack:{'r' * 90}": n for n in range(500)}
    kept = read_state(written(many))
    assert len(written(many)) <= 4096
    assert len(kept) <= 30
    assert min(kept.values()) >= 470


def test_a_long_recipient_takes_little_room_and_its_old_key_still_counts() -> None:
    configuration = configured(**{"trigger__on-ok": "- when: 'true'\n  send: [t]\n"})
    to = Destination("slack", "r" * 500)
    values = variables(rollout(), {})
    (due,) = by_condition(configuration, {"on-ok": [to]}, values, {}, 1.0).due
    assert len(due.key) < 120
    old = f"on-ok:[0].X_5TO4MPCKAyY0ipFgr6_IraRNs:slack:{to.recipient}"
    assert by_condition(configuration, {"on-ok": [to]}, values, {old: 1}, 1.0).due == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{add .rollout.status.currentStepIndex 1}}", True),
        ("{{ .rollout.status.currentStepIndex | add 1 }}/2", True),
        ("{{add1 .rollout.status.currentStepIndex}}", True),
        ("{{add 1 .rollout.status.currentStepIndex}}", True),
        ("{{.rollout.status.currentStepIndex}}", False),
        ("{{add .rollout.spec.replicas 1}} {{.rollout.status.currentStepIndex}}", False),
    ],
)
def test_templates_that_count_from_the_completed_step_are_known(text: str, expected: bool) -> None:
    found = configured(template__x=f"message: '{text}'")
    assert found.templates["x"].adds_one is expected


def test_a_template_of_the_reference_names_the_step_that_was_completed() -> None:
    values = before_the_step(variables(rollout(currentStepIndex=3), {}), "Rollout step 2/4 completed (pause)")
    text = Template("{{add .rollout.status.currentStepIndex 1}}").render(values)
    assert text == "2"
    assert values["rollout"]["status"]["phase"] == "Healthy"
