"""The change of a container's image. Source: the command line, section 1 ("set image")."""

from __future__ import annotations

from serinus.api.resources import DEPLOYMENTS, ROLLOUTS
from serinus.commands.decision import Json, Refusal, TemplateChange
from serinus.commands.holder import Holder

FIELDS = ("initContainers", "containers", "ephemeralContainers")


class NoContainer(Refusal):
    """No container has the requested name. `known`: the existing ones."""

    def __init__(self, container: str, known: list[str]) -> None:
        hint = f"The containers are: {', '.join(known)}" if known else ""
        super().__init__(f'unable to find container named "{container}"', hint)
        self.known = known


def image_holder(rollout: Json) -> Holder:
    """The object that holds the images: the Rollout, or the Deployment that it refers to."""
    reference: Json = (rollout.get("spec") or {}).get("workloadRef") or {}
    if reference:
        return Holder(DEPLOYMENTS, str(reference.get("name")), "/spec/template")
    return Holder(ROLLOUTS, str(rollout["metadata"]["name"]), "/spec/template")


def set_image(holder: Holder, obj: Json, container: str, image: str) -> TemplateChange:
    """Set the image of each container of this name (`*`: all) in `obj`, the object of `holder`. Raises NoContainer."""
    pod: Json = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    containers = [(field, index, entry) for field in FIELDS for index, entry in enumerate(pod.get(field) or [])]
    chosen = [each for each in containers if container in ("*", each[2].get("name"))]
    if not chosen:
        raise NoContainer(container, [str(entry.get("name")) for _, _, entry in containers])
    return TemplateChange(
        holder.resource,
        obj,
        [{"op": "add", "path": f"{holder.path}/spec/{field}/{i}/image", "value": image} for field, i, _ in chosen],
        ", ".join(f"image of {entry.get('name')} = {image!r}" for _, _, entry in chosen),
    )
