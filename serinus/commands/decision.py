"""The results of the decisions: merge patches, a change of a pod template, or a refusal."""

from __future__ import annotations

from typing import Any, NamedTuple

from serinus.api.records import record
from serinus.api.resources import Resource

Json = dict[str, Any]


class Patches(NamedTuple):
    """Merge patches of one object: two requests in this order, as in Argo Rollouts. None: no request."""

    status: Json | None = None
    spec: Json | None = None


@record()
class TemplateChange:
    """A change of the object `obj`, which holds a pod template: the Rollout, or the workload that it refers to.

    `patch`: a JSON patch whose paths exist in `obj`. `words`: its description for users.
    """

    resource: Resource
    obj: Json
    patch: list[Json]
    words: str

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    def updated(self) -> Json:
        """A copy of the object with the change, for a request that replaces the object."""
        import copy

        changed = copy.deepcopy(self.obj)
        for operation in self.patch:
            *parents, last = operation["path"].split("/")[1:]
            place: Any = changed
            for key in parents:
                place = place[int(key) if isinstance(place, list) else key]
            place[last] = operation["value"]
        return changed


class Refusal(Exception):
    """The command does not apply to the object as read. `sentence`: for users. `hint`: the next step; may be empty."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.hint = sentence, hint
