"""Available actions of a Rollout: each with its effect, the equivalent command, and, if blocked, the reason. Pure: the
page shows them before it requests a change.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from serinus.api.messages.counted import counted
from serinus.api.pods.status import Json
from serinus.commands.effects import no_effect
from serinus.commands.promotion import following_step
from serinus.dashboard.rights import SPEC, STATUS, WORKLOAD, Right
from serinus.engine.core.step_kinds import step_words
from serinus.view.rollout_info import ReplicaSetInfo, RolloutInfo

PROGRAM = "kubectl argo rollouts"


@dataclass(frozen=True, slots=True)
class Offer:
    """`blocked`: why the action is unavailable, or empty. `hidden`: the user lacks the right (see `blocked`)."""

    id: str
    label: str
    effect: str
    command: str
    blocked: str = ""
    hidden: bool = False
    heavy: bool = False
    """The action moves traffic or pods at once, without the remaining steps."""


Refusals = Mapping[Right, str]
"""Missing right -> reason."""


def offers(rollout: Json, info: RolloutInfo, refusals: Refusals) -> list[Offer]:
    """The actions, in display order."""
    status: Json = rollout.get("status") or {}

    def blocked(action: str) -> str:
        reason = no_effect(action, rollout)
        return reason.why if reason else ""

    # Full promotion also works after an abort. The page then offers only retry, which repeats the steps.
    full = "it is aborted" if status.get("abort") else blocked("promote-full")
    needs: dict[str, Right] = {"pause": SPEC, "restart": SPEC}
    every = [
        _offer(info, "promote", "Promote", _promote(rollout, info), blocked("promote")),
        _offer(
            info,
            "promote-full",
            "Promote full",
            _full(rollout, info),
            full,
            heavy=True,
        ),
        _offer(info, "abort", "Abort", _abort(info), blocked("abort"), heavy=True),
        _offer(
            info,
            "retry",
            "Retry",
            f"Tries {_newest(info)} again, from its first step.",
            blocked("retry"),
        ),
        _offer(info, "pause", "Pause", _pause(info), blocked("pause")),
        _offer(
            info,
            "restart",
            "Restart",
            f"Replaces every pod by a fresh one of the same version, a few at a time ({counted(info.current, 'pod')}). "
            "Traffic shares stay as they are.",
            blocked("restart"),
        ),
    ]
    return [_allowed(offer, refusals.get(needs.get(offer.id, STATUS), "")) for offer in every]


def rollback(info: RolloutInfo, rs: ReplicaSetInfo, refusals: Refusals, referenced: bool) -> Offer:
    """Rolls back to the revision of this ReplicaSet."""
    images = ", ".join(rs.images)
    steps = "at once, as this revision is stable: the update that is under way ends" if rs.stable else _way(info)
    effect = f"The pod template of revision {rs.revision} ({images}) becomes a new revision. It goes out {steps}."
    offer = _offer(info, f"undo/{rs.revision}", "Roll back", effect)
    return _allowed(offer, refusals.get(WORKLOAD if referenced else SPEC, ""))


def image_change(info: RolloutInfo, container: str, refusals: Refusals, referenced: bool) -> Offer:
    """Changes a container's image; the page completes the command with the image."""
    effect = f"Container {container} gets this image, which makes a new revision. It goes out {_way(info)}."
    offer = _offer(info, "set-image", "Change image", effect)
    return _allowed(offer, refusals.get(WORKLOAD if referenced else SPEC, ""))


def command(action: str, name: str, namespace: str) -> str:
    """The equivalent command line."""
    words = {
        "promote-full": f"promote {shlex.quote(name)} --full",
        "retry": f"retry rollout {shlex.quote(name)}",
        "set-image": f"set image {shlex.quote(name)}",
    }.get(action)
    if action.startswith("undo/"):
        words = f"undo {shlex.quote(name)} --to-revision={action.partition('/')[2]}"
    return f"{PROGRAM} {words or f'{action} {shlex.quote(name)}'} -n {shlex.quote(namespace)}"


def _offer(info: RolloutInfo, id: str, label: str, effect: str, blocked: str = "", *, heavy: bool = False) -> Offer:
    name, namespace = str(info.metadata.get("name")), str(info.metadata.get("namespace"))
    return Offer(id, label, effect, command(id, name, namespace), blocked, False, heavy)


def _allowed(offer: Offer, refusal: str) -> Offer:
    if not refusal:
        return offer
    return Offer(offer.id, offer.label, offer.effect, offer.command, refusal, True, offer.heavy)


def _steps(rollout: Json) -> list[Json]:
    return (((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}).get("steps") or []


def _promote(rollout: Json, info: RolloutInfo) -> str:
    steps, status = _steps(rollout), rollout.get("status") or {}
    index = int(status.get("currentStepIndex") or 0)
    if info.strategy == "BlueGreen":
        return f"The active Service moves to {_newest(info)}: all traffic goes there."
    if index >= len(steps):
        return "Nothing is left to skip."
    done = "Ends the pause in" if status.get("pauseConditions") else "Skips the rest of"
    following = following_step(rollout)
    then = step_words(steps[following]) if following < len(steps) else "all traffic to the new version"
    return f"{done} step {index + 1} of {len(steps)}. Next: {then}."


def _full(rollout: Json, info: RolloutInfo) -> str:
    left = _steps(rollout)[int((rollout.get("status") or {}).get("currentStepIndex") or 0) :]
    analyses = sum(1 for step in left if step.get("analysis") is not None or step.get("experiment") is not None)
    skipped = f"{len(left)} step{'s' if len(left) != 1 else ''}" + (
        f", {analyses} of them analyses," if analyses else ""
    )
    return f"100 % of {info.metadata.get('name')} goes to {_newest(info)}, as soon as its pods can take it; {skipped} skipped."


def _abort(info: RolloutInfo) -> str:
    stable = next((rs for rs in info.replica_sets if rs.stable or rs.active), None)
    where = f"revision {stable.revision}" if stable else "the stable version"
    return f"100 % of the traffic goes back to {where}. It is Degraded then, until retry or a new version."


def _pause(info: RolloutInfo) -> str:
    share = f", with {info.set_weight} % of the traffic for {_newest(info)}" if info.set_weight else ""
    return f"Holds the Rollout where it is{share}, until it is promoted."


def _newest(info: RolloutInfo) -> str:
    newest = max((rs.revision for rs in info.replica_sets), default=0)
    return f"revision {newest}" if newest else "the new version"


def _way(info: RolloutInfo) -> str:
    total = info.step.partition("/")[2]
    if total:
        return f"by the {counted(int(total), 'step')} of the canary"
    return "by blue-green, through the preview" if info.strategy == "BlueGreen" else "pod by pod"
