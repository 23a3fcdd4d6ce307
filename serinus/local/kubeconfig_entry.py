"""Records in the instance's state which user kubeconfig has its entry, so that `down` finds it after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serinus.local.instance import Instance
from serinus.local.kubeconfig import AddedContext, ClusterAccess, add, remove

_KEY = "kubeconfigEntry"


def entry_of_state(instance: Instance) -> dict[str, Any]:
    """The part of the state about the entry; {} if there is none."""
    fields = instance.state().get(_KEY)
    return {_KEY: fields} if isinstance(fields, dict) else {}


def add_entry(instance: Instance, file: Path | None, access: ClusterAccess) -> None:
    """Adds the entry to `file`, and removes it from the previous file if that is another. Raises CannotRun."""
    known = _remembered(instance)
    if known is not None and known[0] != file:
        remove_entry(instance)
        known = None
    if file is None or file == instance.kubeconfig:
        return
    entry = add(file, access, known[1].name if known else "")
    before = entry.before or (known[1].before if known else "")
    fields = {"file": str(file), "name": entry.name, "before": before}
    instance.write_state({**instance.state(), _KEY: fields})


def remove_entry(instance: Instance) -> None:
    """Removes the entry from the user's kubeconfig, if one was added. Raises CannotRun."""
    known = _remembered(instance)
    if known is None:
        return
    file, entry = known
    try:
        ca_pem = (instance.directory / "certificates" / "ca.crt").read_text()
    except (OSError, ValueError):
        return
    remove(file, entry, ca_pem)
    instance.write_state({key: value for key, value in instance.state().items() if key != _KEY})


def _remembered(instance: Instance) -> tuple[Path, AddedContext] | None:
    fields: dict[str, Any] = entry_of_state(instance).get(_KEY) or {}
    file, name, before = (fields.get(key) for key in ("file", "name", "before"))
    if not (isinstance(file, str) and isinstance(name, str) and isinstance(before, str)):
        return None
    return Path(file), AddedContext(name, before)
