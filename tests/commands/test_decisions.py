"""The decisions of commands: the patches for each object, or the refusal, without an API server."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.api.resources import DEPLOYMENTS, POD_TEMPLATES, ROLLOUTS
from serinus.cli.cluster import mutate
from serinus.cli.rollouts import set_image as cli_image
from serinus.cli.rollouts import undo as cli_undo
from serinus.commands.actions import UNREAD, WithoutEffect, action_patches
from serinus.commands.decision import Refusal
from serinus.commands.effects import ACTIONS
from serinus.commands.event_reasons import EVENT_REASONS
from serinus.commands.holder import template_holder
from serinus.commands.image import NoContainer, image_holder, set_image
from serinus.commands.promotion import promotion, promotion_action
from serinus.commands.rollback import NoRevision, SameTemplate, earlier, undo
from serinus.dashboard import commands as dashboard
from serinus.view.rollout_info import HASH, REVISION

Json = dict[str, Any]
STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]
PAUSE = {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}
INCONCLUSIVE = {
    **PAUSE,
    "controllerPause": True,
    "currentStepIndex": 1,
    "canary": {"currentStepAnalysisRunStatus": {"status": "Inconclusive"}},
}
UNPAUSE = {"spec": {"paused": False}}


def canary(status: Json, *, steps: list[Json] | None = None, paused: bool = False) -> Json:
    strategy = {"canary": {"steps": STEPS if steps is None else steps}}
    return {"spec": {"paused": paused, "strategy": strategy}, "status": status}


def blue_green(status: Json, *, paused: bool = False) -> Json:
    return {"spec": {"paused": paused, "strategy": {"blueGreen": {"activeService": "a"}}}, "status": status}


@pytest.mark.parametrize(
    ("rollout", "flags", "expected"),
    [
        (canary({"currentStepIndex": 1}), {"skip_current": True}, ({"currentStepIndex": 2}, None)),
        (canary({}), {"skip_current": True}, ({"currentStepIndex": 1}, None)),
        (canary({"currentStepIndex": 3}), {"skip_current": True}, ({"currentStepIndex": 3}, None)),
        (canary({"currentStepIndex": 1}), {"skip_all": True}, ({"currentStepIndex": 3}, None)),
        (canary({"currentPodHash": "b", "stableRS": "a"}), {"full": True}, ({"promoteFull": True}, None)),
        (canary({"currentPodHash": "a", "stableRS": "a"}), {"full": True}, (None, None)),
        (canary({"stableRS": "a"}, paused=True), {"full": True}, ({"promoteFull": True}, UNPAUSE)),
        (
            canary(INCONCLUSIVE),
            {},
            ({"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}, None),
        ),
        (canary({**PAUSE, "currentStepIndex": 1}), {}, ({"pauseConditions": None}, None)),
        (canary({**PAUSE, "currentStepIndex": 1}, paused=True), {}, ({"pauseConditions": None}, UNPAUSE)),
        (canary({"currentStepIndex": 0}), {}, ({"pauseConditions": None, "currentStepIndex": 1}, None)),
        (canary({}, steps=[]), {}, (None, None)),
        (canary({}, steps=[], paused=True), {}, (None, UNPAUSE)),
        (blue_green(PAUSE), {}, ({"pauseConditions": None}, None)),
        (blue_green({}), {}, (None, None)),
        (blue_green({"currentPodHash": "b"}, paused=True), {"full": True}, ({"promoteFull": True}, UNPAUSE)),
    ],
)
def test_promote_ends_the_pause_or_skips_what_it_is_told_to(
    rollout: Json, flags: dict[str, bool], expected: tuple[Json | None, Json | None]
) -> None:
    status, spec = promotion(promotion_action(**flags), rollout)
    assert (status and status["status"], spec) == expected


@pytest.mark.parametrize(
    ("rollout", "flag", "message"),
    [
        (blue_green({}), "skip_all", "Cannot skip steps of a bluegreen rollout. Run without a flags"),
        (blue_green({}), "skip_current", "Cannot skip steps of a bluegreen rollout. Run without a flags"),
        (canary({}, steps=[]), "skip_all", "Cannot skip steps of a rollout without steps"),
    ],
)
def test_steps_that_are_not_there_cannot_be_skipped(rollout: Json, flag: str, message: str) -> None:
    with pytest.raises(Refusal) as refusal:
        promotion(promotion_action(**{flag: True}), rollout)
    assert refusal.value.sentence == message


def test_flags_of_promote_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(Refusal, match="Cannot use skip-current-step and skip-all-steps flags at the same time"):
        promotion_action(skip_current=True, skip_all=True)
    assert promotion_action(full=True, skip_current=True) == "skip-current-step"


UPDATE = {"currentPodHash": "b", "stableRS": "a", "currentStepIndex": 1}


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        ("abort", {}, ({"status": {"abort": True}}, None)),
        ("retry", {"abort": True}, ({"status": {"abort": False}}, None)),
        ("pause", {}, (None, {"spec": {"paused": True}})),
        ("restart", {}, (None, {"spec": {"restartAt": "2026-01-01T00:00:00Z"}})),
        ("promote", PAUSE, ({"status": {"pauseConditions": None}}, None)),
        ("promote-full", {}, ({"status": {"promoteFull": True}}, None)),
        ("skip-current-step", {}, ({"status": {"currentStepIndex": 2}}, None)),
        ("skip-all-steps", {}, ({"status": {"currentStepIndex": 3}}, None)),
    ],
)
def test_an_action_has_its_patches(action: str, status: Json, expected: tuple[Json | None, Json | None]) -> None:
    made = canary({**UPDATE, **status})
    assert action_patches(action, made, restart_at="2026-01-01T00:00:00Z") == expected
    assert UNREAD.get(action, expected) == expected


def test_an_action_without_effect_is_refused_and_says_whether_that_is_a_failure() -> None:
    with pytest.raises(WithoutEffect) as holds:
        action_patches("pause", canary(UPDATE, paused=True))
    assert (holds.value.sentence, holds.value.holds) == ("it is paused already", True)
    with pytest.raises(WithoutEffect) as fails:
        action_patches("promote", canary({**UPDATE, "abort": True}))
    assert (fails.value.hint, fails.value.holds) == ("Use retry rollout, or promote --full.", False)


def test_each_action_has_the_reason_of_its_event() -> None:
    assert set(ACTIONS) < EVENT_REASONS.keys()
    assert set(dashboard.ACTIONS) < EVENT_REASONS.keys()


def template(image: str, **labels: str) -> Json:
    pod = {"initContainers": [{"name": "init", "image": "init:1"}], "containers": [{"name": "web", "image": image}]}
    return {"metadata": {"labels": {"app": "web", **labels}}, "spec": pod}


def versioned(**spec: Any) -> Json:
    made = {"selector": {"matchLabels": {"app": "web"}}, "template": template("web:3"), **spec}
    return {"metadata": {"name": "web", "uid": "u"}, "spec": made}


def replica_set(revision: int, image: str, *, uid: str = "u") -> Json:
    owner = {"kind": "Rollout", "name": "web", "uid": uid, "controller": True}
    meta = {"name": f"web-{revision}", "annotations": {REVISION: str(revision)}, "labels": {HASH: f"h{revision}"}}
    return {
        "metadata": {**meta, "ownerReferences": [owner]},
        "spec": {"template": template(image, **{HASH: f"h{revision}"})},
    }


SETS = [replica_set(3, "web:3"), replica_set(1, "web:1"), replica_set(2, "web:2"), replica_set(7, "db", uid="other")]
REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "base"}


@pytest.mark.parametrize(
    ("container", "paths"),
    [
        ("web", ["containers/0"]),
        ("init", ["initContainers/0"]),
        ("*", ["initContainers/0", "containers/0"]),
    ],
)
def test_an_image_is_set_in_each_container_of_the_name(container: str, paths: list[str]) -> None:
    made = versioned()
    before = copy.deepcopy(made)
    changed = set_image(image_holder(made), made, container, "x:9")
    assert [operation["path"] for operation in changed.patch] == [f"/spec/template/spec/{p}/image" for p in paths]
    pod = changed.updated()["spec"]["template"]["spec"]
    found = {each["name"]: each["image"] for field in ("initContainers", "containers") for each in pod[field]}
    assert {name for name, image in found.items() if image == "x:9"} == (
        {"init", "web"} if container == "*" else {container}
    )
    assert made == before, "the object as read stays as it is"


def test_the_image_of_a_referenced_deployment_is_set_there() -> None:
    holder = image_holder(versioned(workloadRef=REFERENCE))
    assert (holder.resource, holder.name, holder.is_rollout) == (DEPLOYMENTS, "base", False)
    deployment = {"metadata": {"name": "base"}, "spec": {"template": template("web:1")}}
    changed = set_image(holder, deployment, "web", "web:2")
    assert (changed.resource, changed.name, changed.words) == (DEPLOYMENTS, "base", "image of web = 'web:2'")


def test_a_container_that_does_not_exist_is_refused_with_the_existing_ones() -> None:
    made = versioned()
    with pytest.raises(NoContainer, match='unable to find container named "wbe"') as refusal:
        set_image(image_holder(made), made, "wbe", "web:2")
    assert (refusal.value.known, refusal.value.hint) == (["init", "web"], "The containers are: init, web")


@pytest.mark.parametrize(("asked", "revision", "image"), [(0, 2, "web:2"), (1, 1, "web:1")])
def test_undo_puts_the_template_of_a_revision_in_place_without_the_label_of_its_replica_set(
    asked: int, revision: int, image: str
) -> None:
    made = versioned()
    holder = template_holder(made)
    changed = undo(holder, made, earlier(made, SETS, asked), asked)
    assert changed.patch == [{"op": "replace", "path": "/spec/template", "value": template(image)}]
    assert (changed.resource, changed.words) == (
        ROLLOUTS,
        f"/spec/template of rollout 'web' = that of revision {revision}",
    )


def test_undo_of_the_current_template_is_refused() -> None:
    made = versioned()
    with pytest.raises(SameTemplate, match="The current template is that of revision 3 already"):
        undo(template_holder(made), made, earlier(made, SETS, 3), 3)


def test_a_revision_that_does_not_exist_is_refused_with_the_existing_ones() -> None:
    with pytest.raises(NoRevision, match="unable to find specified revision 9 in history") as refusal:
        earlier(versioned(), SETS, 9)
    assert refusal.value.hint == "Revisions: 1, 2, 3"
    with pytest.raises(NoRevision, match='no revision found for rollout "web"') as alone:
        earlier(versioned(), SETS[:1], 0)
    assert alone.value.hint == ""


def test_undo_changes_the_workload_that_holds_the_template() -> None:
    holder = template_holder(versioned(workloadRef={**REFERENCE, "kind": "PodTemplate"}))
    assert (holder.resource, holder.name, holder.path) == (POD_TEMPLATES, "base", "/template")
    held = {"metadata": {"name": "base"}, "template": template("web:3")}
    changed = undo(holder, held, (2, template("web:2")), 2)
    assert changed.updated()["template"] == template("web:2")
    with pytest.raises(Refusal, match="workload of type StatefulSet is not supported"):
        template_holder(versioned(workloadRef={**REFERENCE, "kind": "StatefulSet"}))


def test_the_command_line_and_the_dashboard_use_the_same_decisions() -> None:
    assert mutate.action_patches is dashboard.action_patches is action_patches
    assert mutate.EVENT_REASONS is dashboard.EVENT_REASONS
    assert cli_image.set_image is dashboard.set_image is set_image
    assert cli_image.image_holder is dashboard.image_holder
    assert cli_undo.template_holder is dashboard.template_holder
    assert cli_undo.rollback.earlier is dashboard.earlier
    assert cli_undo.rollback.undo is dashboard.undo
