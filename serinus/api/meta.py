"""Metadata that every object has. Structs declare only fields that Serinus reads. Decoding drops the rest."""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]
IntOrString = int | str


class OwnerReference(msgspec.Struct, rename="camel", omit_defaults=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[OwnerReference] = []

    def controller(self) -> OwnerReference | None:
        """The owner that controls this object, if any."""
        for owner in self.owner_references:
            if owner.controller:
                return owner
        return None


class FieldsWritten(msgspec.Struct, omit_defaults=True):
    """One entry of managedFields, without the fields. `subresource` is "" for writes of the object itself."""

    time: str = ""
    subresource: str = ""


class WrittenMeta(ObjectMeta, rename="camel", omit_defaults=True):
    """Metadata that includes the time of the last write."""

    managed_fields: list[FieldsWritten] = []

    def last_written(self) -> str:
        """The last write of the object, except its subresources (status, scale); RFC 3339, whole seconds."""
        return max([self.creation_timestamp, *(entry.time for entry in self.managed_fields if not entry.subresource)])


class LabelSelectorRequirement(msgspec.Struct, omit_defaults=True):
    key: str
    operator: str
    values: list[str] = []


class LabelSelector(msgspec.Struct, rename="camel", omit_defaults=True):
    match_labels: dict[str, str] = {}
    match_expressions: list[LabelSelectorRequirement] = []


class Condition(msgspec.Struct, rename="camel", omit_defaults=True):
    type: str
    status: str
    last_update_time: str = ""
    last_transition_time: str = ""
    reason: str = ""
    message: str = ""
