"""`set image`: another image for a container, and thereby a new revision."""

from __future__ import annotations

from typing import Any

from serinus.api.resources import DEPLOYMENTS, ROLLOUTS
from serinus.cli.commandline import Call, Command
from serinus.cli.problems import Problem
from serinus.cli.session import open_session

Json = dict[str, Any]

TRIES = 5


def run(call: Call) -> int:
    from serinus.kube.errors import ApiError, Conflict

    name, change = call.args
    container, equals, image = change.partition("=")
    if not equals or "=" in image or not container or not image:
        raise Problem(
            f"Expected image to be of form: CONTAINER=IMAGE, found {change!r}", "For example: guestbook=guestbook:v2"
        )
    session = open_session(call)
    for attempt in range(1, TRIES + 1):
        rollout = session.get(ROLLOUTS, name)
        reference: Json = (rollout.get("spec") or {}).get("workloadRef") or {}
        resource = DEPLOYMENTS if reference else ROLLOUTS
        kind, target = ("deployment", str(reference["name"])) if reference else ("rollout", name)
        obj = session.get(DEPLOYMENTS, target) if reference else rollout
        set_image(obj, container, image)
        try:
            session.client.update(resource, session.namespace, obj)
        except Conflict as error:
            # Somebody else, mostly the controller, wrote in between: on what is there now.
            if attempt == TRIES:
                raise session.problem(error, resource, target) from error
            continue
        except ApiError as error:
            raise session.problem(error, resource, target) from error
        print(f'{kind} "{target}" image updated')
        return 0
    raise AssertionError("the last attempt returns or raises")


def set_image(obj: Json, container: str, image: str) -> None:
    """Changes every container of this name (`*`: all) in the object's template. Problem if there is none."""
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


COMMAND = Command(
    run,
    "Change the image of a container of a Rollout, or of the Deployment that it refers to. `*` means every container.",
    "ROLLOUT CONTAINER=IMAGE",
    ("kubectl argo rollouts set image guestbook guestbook=guestbook:v2",),
    least=2,
    most=2,
    completes="rollouts",
)
