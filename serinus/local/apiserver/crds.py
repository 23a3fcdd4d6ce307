"""Resources that users define: served at once when their CustomResourceDefinition is written, gone with it.

Source: Kubernetes documentation, "CustomResourceDefinition"; conditions as an apiextensions server sets them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api import crds as own
from serinus.api.resources import CRDS
from serinus.local.apiserver.failure import invalid
from serinus.local.apiserver.write import Writer, load
from serinus.local.schema.kinds import Schemas

Json = dict[str, Any]


def install(writer: Writer, schemas: Schemas) -> None:
    """Serve what is stored, and ours in the form that this version of Serinus has."""
    kind = schemas.kind(CRDS.group, CRDS.version, CRDS.plural)
    if kind is None:
        return
    for crd in own.crds():
        entry = writer.store.get(CRDS.group_resource, ("", crd["metadata"]["name"]))
        if entry is None:
            writer.create(kind, crd, "", {}, "serinus", [])
        elif (live := load(entry))["spec"] != kind.default({**crd, "metadata": dict(crd["metadata"])})["spec"]:
            writer.update(kind, live, {**live, "spec": crd["spec"]}, {}, "serinus")
    for entry in list(writer.store.objects(CRDS.group_resource).values()):
        serve(writer, schemas, load(entry))


def serve(writer: Writer, schemas: Schemas, crd: Json) -> None:
    """Raises Failure 422, and takes the definition back, when it cannot be served."""
    name = crd["metadata"]["name"]
    errors = schemas.add_crd(crd)
    if errors:
        if writer.store.get(CRDS.group_resource, ("", name)):
            writer.put(CRDS, crd, dry=False, deleted=True)
        raise invalid(CRDS, name, [(e.type, e.path, e.message().removeprefix(f"{e.path}: ")) for e in errors])
    names = crd["spec"]["names"]
    stored = [v["name"] for v in crd["spec"]["versions"] if v.get("storage")]
    if (crd.get("status") or {}).get("acceptedNames") == names and crd["status"].get("storedVersions") == stored:
        return
    live = load(writer.store.objects(CRDS.group_resource)[("", name)])
    live["status"] = {
        "acceptedNames": names, "storedVersions": stored,
        "conditions": [
            {"type": "NamesAccepted", "status": "True", "lastTransitionTime": writer.now, "reason": "NoConflicts", "message": "no conflicts found"},
            {"type": "Established", "status": "True", "lastTransitionTime": writer.now, "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"},
        ],
    }  # fmt: skip
    writer.put(CRDS, live, dry=False)


def withdraw(writer: Writer, schemas: Schemas, name: str) -> None:
    """Stop serving a definition that is gone, and remove its objects."""
    plural, _, group = name.partition(".")
    gone = [r for r in schemas.resources() if (r.plural, r.group) == (plural, group)]
    schemas.remove_crd(name)
    for resource in gone[:1]:
        for entry in list(writer.store.objects(resource.group_resource).values()):
            obj: Json = msgspec.json.decode(entry.body)
            writer.put(resource, obj, dry=False, deleted=True)
