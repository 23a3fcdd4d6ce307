"""The acceptance cases of the notifications' specification (docs/spec/notifications.md, section 12), with every request that arrives.

`ELSEWHERE` names the tests of the cases that are not played here.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from serinus.api.resources import CONFIG_MAPS, NAMESPACES, SECRETS
from tests.support.long import few
from tests.support.plays.monitoring import METRICS
from tests.support.plays.player import Played, Player, in_virtual_time, play
from tests.support.plays.recordings import scenario
from tests.support.plays.stage import Stage

Json = dict[str, Any]
REPOSITORY = Path(__file__).parents[2]
CATALOG: dict[str, str] = yaml.safe_load((REPOSITORY / "install/notifications/notifications.yaml").read_text())["data"]
NAP = "notifications.argoproj.io"
SLACK = {"ok": True, "channel": "C1", "ts": "1.0"}
BASE = {
    **CATALOG,
    "service.slack": "apiURL: http://$METRICS/api/\ntoken: $slack-token\n",
    "service.webhook.hook": 'url: http://$METRICS/hook/\nheaders: [{name: X-K, value: "Bearer $tok"}]\n',
}
SECRET = "Secret/argo-rollouts-notification-secret"
HOOK = "template.rollout-paused"
POST = "webhook: {hook: {method: POST, path: '/p', body: paused}}"

APPLY: list[Json] = [{"apply": "all"}, {"wait": {"Rollout/web": {"status.phase": "Healthy"}}}, {"wait": {"quiet": 2}}]
GREEN: list[Json] = [
    {"image": ["Rollout/web", "argoproj/rollouts-demo:green"]},
    {"wait": {"Rollout/web": {"status.phase": "Paused"}}},
    {"wait": {"quiet": 2}},
]
PROMOTE: list[Json] = [
    {"cli": "promote web"},
    {"wait": {"Rollout/web": {"status.phase": "Healthy"}}},
    {"wait": {"quiet": 2}},
]
UPDATE = [*APPLY, *GREEN, *PROMOTE]


@dataclass
class Case:
    """`data`: changes of the ConfigMap. `subscribe`: annotations of the Rollout, without their prefix.

    `expected`: each request: `channel: text` of Slack, else `METHOD path header body`. `failed`: how often the Event
    `NotificationFailed` is recorded.
    """

    expected: list[str]
    data: dict[str, str] = field(default_factory=dict[str, str])
    subscribe: dict[str, str] = field(default_factory=dict[str, str])
    labels: dict[str, str] = field(default_factory=dict[str, str])
    do: list[Json] = field(default_factory=lambda: UPDATE)
    failed: int = 0
    gaps: tuple[float, ...] = ()
    """The least seconds between the requests."""


def on(*names: str, service: str = "slack", recipient: str = "ch") -> dict[str, str]:
    return {f"subscribe.on-rollout-{name}.{service}": recipient for name in names}


UPDATED, PAUSED, COMPLETED = (f"ch: Rollout web has been {what}." for what in ("updated", "paused", "completed"))
ONCE = "- when: rollout.status.phase == 'Healthy'\n  oncePer: rollout.metadata.annotations['rollout.argoproj.io/revision']\n  send: [ok]\n"
PURPLE = "- when: \"rollout.spec.template.spec.containers[0].image == 'argoproj/rollouts-demo:green'\"\n  send: [p]\n"
FAILS: Json = {"answer": {"/api/chat.postMessage": {"status": 500, "body": "no"}}}
WORKS: Json = {"answer": {"/api/chat.postMessage": SLACK}}

CASES: dict[str, Case] = {
    "1: a whole update with the shipped catalog": Case(
        [
            UPDATED,
            COMPLETED,
            UPDATED,
            "ch: Rollout web step number 1/2 has been completed.",
            PAUSED,
            "ch: Rollout web step number 2/2 has been completed.",
            COMPLETED,
        ],
        subscribe=on("updated", "step-completed", "paused", "completed"),
    ),
    "2: several recipients": Case(
        ["a: Rollout web has been completed.", "b: Rollout web has been completed."],
        subscribe=on("completed", recipient="a; b ;"),
        do=APPLY,
    ),
    "4: a subscription of the ConfigMap with a selector that matches": Case(
        ["ops: Rollout web has been paused."],
        {"subscriptions": "- {recipients: ['slack:ops'], triggers: [on-rollout-paused], selector: team=a}"},
        labels={"team": "a"},
        do=[*APPLY, *GREEN],
    ),
    "4: a subscription of the ConfigMap with a selector that does not match": Case(
        [],
        {"subscriptions": "- {recipients: ['slack:ops'], triggers: [on-rollout-paused], selector: team=a}"},
        do=[*APPLY, *GREEN],
    ),
    "5: one message for a destination that is subscribed twice": Case(
        [PAUSED],
        {"subscriptions": "- {recipients: ['slack:ch'], triggers: [on-rollout-paused]}"},
        on("paused"),
        do=[*APPLY, *GREEN],
    ),
    "8: a template without a part for the webhook": Case(
        ["GET /hook/ Bearer s3 hi"],
        {HOOK: "message: hi"},
        on("paused", service="hook", recipient=""),
        do=[*APPLY, *GREEN],
    ),
    "9: a webhook that fails twice, and a promotion meanwhile": Case(
        ["POST /hook/p Bearer s3 paused"] * 3,
        {HOOK: POST},
        on("paused", service="hook", recipient=""),
        do=[
            *APPLY,
            {"answer": {"/hook/p": {"status": 500, "body": "no"}}},
            *GREEN[:2],
            {"cli": "promote web"},
            {"sleep": 2},
            {"answer": {"/hook/p": "ok"}},
            {"wait": {"quiet": 6}},
        ],
        gaps=(1.0, 2.0),
    ),
    "10: a webhook that refuses": Case(
        ["POST /hook/p Bearer s3 paused"],
        {HOOK: POST},
        on("paused", service="hook", recipient=""),
        do=[*APPLY, {"answer": {"/hook/p": {"status": 404, "body": "no"}}}, *GREEN],
        failed=1,
    ),
    "11: a condition that stays true is sent once": Case(
        ["ch: p green", "ch: p green"],
        {"trigger.on-purple": PURPLE, "template.p": "message: p green"},
        {"subscribe.on-purple.slack": "ch"},
        do=[
            *APPLY,
            *GREEN,
            {"kubectl": "scale rollout web --replicas 3"},
            {"wait": {"quiet": 2}},
            {"image": ["Rollout/web", "argoproj/rollouts-demo:blue"]},
            {"wait": {"quiet": 2}},
            *GREEN,
        ],
    ),
    "13: oncePer, and a receiver that fails during the update": Case(
        ["ch: ok 1", *["ch: ok 2"] * 5],
        {
            "trigger.on-ok": ONCE,
            "template.ok": 'message: ok {{index .rollout.metadata.annotations "rollout.argoproj.io/revision"}}',
        },
        {"subscribe.on-ok.slack": "ch"},
        do=[*APPLY, FAILS, *GREEN, *PROMOTE[:2], {"sleep": 9}, WORKS, {"sleep": 15}],
        failed=1,
    ),
    "14: default triggers, and those of one service": Case(
        [COMPLETED, "POST /hook/p Bearer s3 paused", COMPLETED],
        {"defaultTriggers": "[on-rollout-completed]", "defaultTriggers.hook": "[on-rollout-paused]", HOOK: POST},
        {"subscribe.slack": "ch", "subscribe.hook": ""},
    ),
    "15: a secret that is rotated, and then removed": Case(
        ["GET /hook/ Bearer s4 hi", "GET /hook/ Bearer $tok hi"],
        {"template.rollout-completed": "message: hi"},
        on("completed", service="hook", recipient=""),
        do=[
            {"apply": [SECRET, "ConfigMap/argo-rollouts-notification-configmap"]},
            {"patch": [SECRET, {"stringData": {"tok": "s4"}}]},
            {"apply": ["Rollout/web"]},
            *APPLY[1:],
            {"patch": [SECRET, {"data": {"tok": None}}]},
            {"sleep": 1},
            *GREEN,
            *PROMOTE,
        ],
    ),
    "16: values that are not there": Case(
        ["ch: <no value> <no value> 2 2 n"],
        {
            HOOK: "message: '{{.rollout.nope}} {{.rollout.a.b}} {{.rollout.spec.replicas}} "
            "{{len .rollout.spec.strategy.canary.steps}} {{if .rollout.spec.paused}}p{{else}}n{{end}}'"
        },
        on("paused"),
        do=[*APPLY, *GREEN],
    ),
    "17: a template that cannot be read": Case(
        [PAUSED],
        {"template.bad": 'message: "{{.rollout.spec.template.spec.containers[0].image}}"'},
        on("paused"),
        do=[*APPLY, *GREEN],
    ),
    "19: Slack limits the rate": Case(
        [PAUSED, PAUSED],
        subscribe=on("paused"),
        do=[
            *APPLY,
            {"answer": {"/api/chat.postMessage": {"status": 429, "headers": {"retry-after": "1"}, "body": ""}}},
            *GREEN[:2],
            {"sleep": 0.3},
            WORKS,
            {"wait": {"quiet": 3}},
        ],
    ),
    "19: Slack does not know the channel": Case(
        [PAUSED],
        subscribe=on("paused"),
        do=[*APPLY, {"answer": {"/api/chat.postMessage": {"ok": False, "error": "channel_not_found"}}}, *GREEN],
        failed=1,
    ),
}

ELSEWHERE = {
    "3": "test_notifications.py (notify-lists)",
    "6": "test_notifications.py (notify-analysis)",
    "7": "test_notifications.py (notify-webhook)",
    "11": "the restart: tests/controller/test_notifications.py",
    "12": "test_notifications.py (notify-when)",
    "18": "tests/notifications/test_services.py, tests/controller/test_notifications.py (threads)",
    "20": "below",
}


def objects(case: Case, *more: Json) -> str:
    spec: Json = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "argoproj/rollouts-demo:blue"}]},
        },
        "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
    }
    metadata = {
        "name": "web",
        "labels": case.labels,
        "annotations": {f"{NAP}/{k}": v for k, v in case.subscribe.items()},
    }
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec}
    return yaml.safe_dump_all([*configuration({**BASE, **case.data}), *more, rollout])


def configuration(data: dict[str, str], token: str = "xoxb", **where: str) -> list[Json]:
    name = {"name": "argo-rollouts-notification-configmap", **where}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "argo-rollouts-notification-secret", **where},
            "stringData": {"slack-token": token, "tok": "s3"},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": data},
    ]


ANSWERS: Json = {"/api/chat.postMessage": SLACK, "/hook/": "ok", "/hook/p": "ok"}


def requests(played: Played) -> list[str]:
    found: list[str] = []
    for line in played.trace:
        if "asked" not in line:
            continue
        if line["asked"] == "POST /api/chat.postMessage":
            form = {name: values[0] for name, values in parse_qs(line["body"]).items()}
            found.append(f"{form['channel']}: {form['text']}")
        else:
            found.append(" ".join(str(part) for part in (line["asked"], line.get("X-K"), line.get("body"))))
    return found


def by_destination(texts: list[str]) -> list[str]:
    """The order is fixed for each destination only."""
    return sorted(texts, key=lambda text: text.partition(" ")[0])


@pytest.mark.parametrize("name", few(CASES, list(CASES)[::4]))
def test_case(name: str) -> None:
    case = CASES[name]
    played = play(name, {"objects": objects(case), "do": case.do, "settle": 3, "answers": ANSWERS})
    assert by_destination(requests(played)) == by_destination(case.expected)
    assert played.troubles == []
    times = [line["t"] for line in played.trace if "asked" in line]
    gaps = [round(after - before, 2) for before, after in pairwise(times)]
    assert all(gap >= least for gap, least in zip(gaps, case.gaps or [0.0] * len(gaps), strict=True))
    failed = [line for line in played.trace if line.get("event") == "Warning NotificationFailed"]
    assert len(failed) == case.failed
    copied = [
        w for w in played.writes if "/replicasets" in w.path and "notifications.serinus.dev/pending" in str(w.body)
    ]
    assert copied == [], "a ReplicaSet does not have the memory of its Rollout's messages"
    assert not any("wait timed out" in str(line) for line in played.trace)


def test_every_case_is_somewhere() -> None:
    assert {name.partition(":")[0] for name in CASES} | set(ELSEWHERE) == {str(number) for number in range(1, 21)}


def test_the_attachment_of_a_completed_step_is_that_of_the_reference() -> None:
    case = Case([], subscribe=on("step-completed"), do=[*APPLY, *GREEN])
    played = play("attachment", {"objects": objects(case), "do": case.do, "settle": 3, "answers": ANSWERS})
    (asked,) = [line for line in played.trace if "asked" in line]
    (attachment,) = json.loads(parse_qs(asked["body"])["attachments"][0])
    assert (attachment["title"], attachment["color"]) == ("web", "#18be52")
    assert [(one["title"], one["value"], one["short"]) for one in attachment["fields"]] == [
        ("Strategy", "Canary", True),
        ("Step completed", "1/2", True),
        ("web", "argoproj/rollouts-demo:green", True),
    ]


async def _shared(data: dict[str, str], token: str, *, own: bool = True) -> Played:
    """An update whose namespace may have its own configuration, and the controller's namespace has `data`."""
    with tempfile.TemporaryDirectory() as directory:
        stage = Stage(Path(directory))
        async with stage.running():
            await stage.client.create(NAMESPACES, {"metadata": {"name": "argo-rollouts"}})
            for one, resource in zip(configuration(data, token), (SECRETS, CONFIG_MAPS), strict=True):
                one = json.loads(json.dumps(one).replace("$METRICS", METRICS))
                await stage.client.create(resource, one, "argo-rollouts")
            player = Player(stage)
            await player.begin()
            case = Case([], subscribe=on("paused"))
            made = objects(case)
            if not own:
                made = yaml.safe_dump_all(one for one in yaml.safe_load_all(made) if one["kind"] == "Rollout")
            await player.play({"objects": made, "do": [*APPLY, *GREEN], "settle": 3, "answers": ANSWERS})
            await player.end()
        trace = [json.loads(line) for line in player.notes.trace().splitlines()]
        return Played("shared", "", trace, [], [])


def tokens(played: Played) -> list[str]:
    return sorted(parse_qs(line["body"])["token"][0] for line in played.trace if "asked" in line)


def test_case_20_both_configurations_send_with_their_own_secret() -> None:
    assert tokens(in_virtual_time(_shared(BASE, "xoxa"))) == ["xoxa", "xoxb"]


def test_case_20_limits_are_for_the_configurations_of_other_namespaces() -> None:
    limited = {**BASE, "serinus.allowedServices": "[webhook]"}
    played = in_virtual_time(_shared(limited, "xoxa"))
    assert tokens(played) == ["xoxa"]
    (failed,) = [line for line in played.trace if line.get("event") == "Warning NotificationFailed"]
    assert "serinus.allowedServices does not allow services of type slack for namespace" in failed["message"]
    elsewhere = {**BASE, "serinus.allowedHosts": "{'*': [hooks.example.com]}"}
    assert tokens(in_virtual_time(_shared(elsewhere, "xoxa"))) == ["xoxa"]
    allowed = {**BASE, "serinus.allowedHosts": f"{{'the-*': ['{METRICS}']}}"}
    assert tokens(in_virtual_time(_shared(allowed, "xoxa"))) == ["xoxa", "xoxb"]


def test_case_20_a_namespace_without_configuration_uses_the_controllers() -> None:
    """Its own ConfigMap is that of the play's namespace; here only the controller's namespace has one."""
    played = in_virtual_time(_shared(BASE, "xoxa", own=False))
    assert tokens(played) == ["xoxa"]


def recorded(name: str, data: dict[str, str], subscribe: dict[str, str]) -> Played:
    """A play of the reference with subscriptions of its Rollout."""
    what = scenario(name)
    objects = [one for one in yaml.safe_load_all(what["objects"]) if one]
    (rollout,) = [one for one in objects if one["kind"] == "Rollout"]
    rollout["metadata"]["annotations"] = {f"{NAP}/{k}": v for k, v in subscribe.items()}
    made = yaml.safe_dump_all([*configuration({**BASE, **data}), *objects])
    first: Json = {"apply": [SECRET, "ConfigMap/argo-rollouts-notification-configmap"]}
    return play(name, {**what, "objects": made, "do": [first, *what["do"]], "answers": ANSWERS})


def test_case_20_a_deadline_that_aborts_is_reported_once() -> None:
    played = recorded("nginx-deadline-abort", {}, on("aborted"))
    assert requests(played) == ["ch: Rollout web has been aborted."]


def test_case_20_a_rollout_with_a_workload_reference_has_the_template_of_its_deployment() -> None:
    image = "{{(index .rollout.spec.template.spec.containers 0).image}} {{.rollout.spec.selector.matchLabels.app}}"
    played = recorded("workload-onsuccess", {"template.rollout-completed": f"message: '{image}'"}, on("completed"))
    assert requests(played) == [
        "ch: argoproj/rollouts-demo:blue web",
        "ch: argoproj/rollouts-demo:green web",
    ]


def test_a_rollout_reports_the_analyses_of_its_experiment_step_once() -> None:
    """Section 3. Its annotations and the ConfigMap's list count."""
    data = {
        "subscriptions": "[{recipients: ['slack:ch', 'slack:ops'], triggers: [on-analysis-run-failed]}]",
        "template.analysis-run-failed": "message: '{{.event.reason}} of {{.experiment.metadata.name}} of {{.rollout.metadata.name}}'",
    }
    subscribe = {f"subscribe.on-analysis-run-{phase}.slack": "ch" for phase in ("running", "failed")}
    played = recorded("experiment-step-fails", data, subscribe)
    assert sorted(text for text in requests(played) if "value" not in text) == [
        "ch: AnalysisRunFailed of web-77f97bbcbf-2-0 of web",
        "ch: Rollout web's analysis run is running.",
        "ops: AnalysisRunFailed of web-77f97bbcbf-2-0 of web",
    ]
