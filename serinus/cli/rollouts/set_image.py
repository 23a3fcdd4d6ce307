"""`set image`: sets the image of a container, which makes a new revision."""

from __future__ import annotations

from typing import Any

from serinus.api.resources import DEPLOYMENTS, ROLLOUTS
from serinus.cli.cluster.mutate import FLAGS, Write, check_numbered, write_seen
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem

SHORT = "Change the image of a container"

Json = dict[str, Any]


def run(call: Call) -> int:
    name, change = call.args
    container, equals, image = change.partition("=")
    if not equals or "=" in image or not container or not image:
        raise Problem(
            f"Expected image to be of form: CONTAINER=IMAGE, found {change!r}",
            "For example: guestbook=guestbook:v2",
            code=USAGE,
        )
    session = open_session(call)
    done = ""

    def decide(rollout: Json) -> Write:
        nonlocal done
        deployment = _deployment(session, rollout)
        check_numbered(call, rollout, deployment)
        obj = deployment or rollout
        kind, resource = ("deployment", DEPLOYMENTS) if deployment else ("rollout", ROLLOUTS)
        done = f'{kind} "{obj["metadata"]["name"]}" image updated'
        changed = set_image(obj, container, image)
        words = ", ".join(f"image of {entry} = {image!r}" for entry in changed)
        return Write(words, lambda: rollout if session.update(resource, obj) else None)

    if write_seen(session, call, name, "SetImage", decide):
        print(done)
    return 0


def _deployment(session: Session, rollout: Json) -> Json | None:
    """The Deployment that holds the template, if the Rollout has none of its own."""
    reference: Json = (rollout.get("spec") or {}).get("workloadRef") or {}
    return session.get(DEPLOYMENTS, str(reference["name"])) if reference else None


def set_image(obj: Json, container: str, image: str) -> list[str]:
    """Set the image of each container of this name (`*`: all). Returns their names. Problem if there is none."""
    pod: Json = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    entries: list[Json] = [
        entry for field in ("initContainers", "containers", "ephemeralContainers") for entry in pod.get(field) or []
    ]
    chosen = [entry for entry in entries if container in ("*", entry.get("name"))]
    if not chosen:
        names = ", ".join(str(entry.get("name")) for entry in entries)
        raise Problem(f'unable to find container named "{container}"', f"The containers are: {names}" if names else "")
    for entry in chosen:
        entry["image"] = image
    return [str(entry.get("name")) for entry in chosen]


COMMAND = Command(
    run,
    "Change the image of a container of a Rollout, or of the Deployment that it refers to. `*` means every container.",
    "ROLLOUT CONTAINER=IMAGE",
    (
        "kubectl argo rollouts set image guestbook guestbook=guestbook:v2",
        "kubectl argo rollouts set image guestbook guestbook=guestbook:v2 --revision 3",
    ),
    flags=FLAGS,
    least=2,
    most=2,
    completes="rollouts",
)
