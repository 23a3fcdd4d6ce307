"""`set image`: sets the image of a container, which makes a new revision."""

from __future__ import annotations

from serinus.cli.cluster.mutate import FLAGS, PendingWrite, check_numbered, write_seen
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem
from serinus.commands.decision import Json
from serinus.commands.image import image_holder, set_image

SHORT = "Change the image of a container"


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

    def decide(rollout: Json) -> PendingWrite:
        nonlocal done
        holder = image_holder(rollout)
        obj = rollout if holder.is_rollout else session.get(holder.resource, holder.name)
        check_numbered(call, rollout, None if holder.is_rollout else obj)
        changed = set_image(holder, obj, container, image)
        done = f'{changed.resource.singular} "{changed.name}" image updated'
        # Argo Rollouts replaces the object, so that a write of another client in between is a conflict.
        return PendingWrite(
            changed.words, lambda: rollout if session.update(changed.resource, changed.updated()) else None
        )

    if write_seen(session, call, name, "set-image", decide):
        print(done)
    return 0


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
