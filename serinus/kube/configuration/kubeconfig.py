"""Raw kubeconfig files: read with size limits, merged by kubectl's rules, with the source of every value.

It imports no slow module, because every command starts here.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any, cast

from serinus.api.records import field, record

Json = dict[str, Any]

MOST_FILE = 16 << 20
"""Maximum bytes of a kubeconfig, certificate or key. 10,000 clusters need less; a device file has no end."""


class ConfigError(Exception):
    """Why the configuration gives no connection, and the remedy, as sentences for the user."""


@record(frozen=True)
class KubeconfigEntry:
    """One named cluster, user or context, and the file that contains it."""

    file: Path
    where: str
    value: Json

    def text(self, key: str) -> str:
        value = self.value.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise ConfigError(f"{self.file}: {self.where}.{key} must be text, found {value!r}. Correct it there.")
        return value

    def truth(self, key: str) -> bool:
        value = self.value.get(key, False)
        if not isinstance(value, bool):
            raise ConfigError(
                f"{self.file}: {self.where}.{key} must be true or false, found {value!r}. Correct it there."
            )
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.value.get(key) or []
        if not isinstance(values, list) or not all(isinstance(one, str) for one in cast(list[Any], values)):
            raise ConfigError(f"{self.file}: {self.where}.{key} must be a list of texts. Correct it there.")
        return tuple(cast(list[str], values))

    def path(self, key: str) -> str:
        path = self.text(key)
        return str(self.file.parent / Path(path).expanduser()) if path else ""

    def pem(self, key: str) -> bytes:
        """The decoded value of `<key>-data`, otherwise the content of the file that `key` names."""
        data = self.text(f"{key}-data")
        if data:
            try:
                return base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ConfigError(
                    f"{self.file}: {self.where}.{key}-data is no base64: {error}. Correct it there."
                ) from None
        path = self.path(key)
        return read(Path(path), f"{self.file}: {self.where}.{key}") if path else b""


@record()
class Merged:
    files: list[Path] = field(default_factory=list[Path])
    entries: dict[str, dict[str, KubeconfigEntry]] = field(
        default_factory=lambda: {"clusters": {}, "users": {}, "contexts": {}},
    )
    current: str = ""


def merged(files: list[Path], required: bool) -> Merged:
    kubeconfig = Merged()
    for file in files:
        if not file.exists():
            if required:
                raise ConfigError(f"the kubeconfig {file} does not exist. Check --kubeconfig.")
            continue
        _add(kubeconfig, file, _parse(file, read(file, "the kubeconfig")))
    return kubeconfig


ON_THIS_MACHINE = ("certificate-authority", "client-certificate", "client-key", "tokenFile", "exec")
"""Fields that name files or programs of the machine on which the kubeconfig is used."""


def of_secret(content: bytes, source: str) -> Merged:
    """A kubeconfig that an object of the API holds. ConfigError also if it names files or programs: its writer must not
    make this process read or run them. `source`: the object, for errors."""
    kubeconfig, place = Merged(), Path(source)
    _add(kubeconfig, place, _parse(place, content))
    for entry in (*kubeconfig.entries["clusters"].values(), *kubeconfig.entries["users"].values()):
        for key in ON_THIS_MACHINE:
            if entry.value.get(key):
                raise ConfigError(
                    f"{source}: {entry.where}.{key} names a file or program, which a Secret may not do. "
                    "Put certificates, keys and tokens into the kubeconfig itself."
                )
    return kubeconfig


def _add(kubeconfig: Merged, file: Path, content: Json) -> None:
    kubeconfig.files.append(file)
    current = content.get("current-context") or ""
    if not isinstance(current, str):
        raise ConfigError(f"{file}: current-context must be text, found {current!r}. Correct it there.")
    kubeconfig.current = kubeconfig.current or current
    for section, inner in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
        _collect(file, section, inner, content.get(section), kubeconfig.entries[section])


def _collect(file: Path, section: str, inner: str, rows: Any, into: dict[str, KubeconfigEntry]) -> None:
    if rows is None:
        return
    if not isinstance(rows, list):
        raise ConfigError(f"{file}: {section} must be a list, found {kind_of(rows)}. Correct it there.")
    for place, row in enumerate(cast(list[Any], rows)):
        name = row.get("name") if isinstance(row, dict) else None
        value = row.get(inner) or {} if isinstance(row, dict) else None
        if not isinstance(name, str) or not isinstance(value, dict):
            raise ConfigError(
                f"{file}: {section}[{place}] must have a name and a {inner}, found {kind_of(row)}. Correct it there."
            )
        into.setdefault(name, KubeconfigEntry(file, f"{section}[{name}].{inner}", cast(Json, value)))


def _parse(file: Path, data: bytes) -> Json:
    if not data.strip():
        return {}
    try:
        if data.lstrip().startswith(b"{"):
            content: Any = json.loads(data)
        else:
            from serinus.api.yaml import reader as go_yaml  # slow to import, rarely needed

            content = go_yaml.load(data)
    except (ValueError, RecursionError) as error:
        form = "neither YAML nor JSON" if data.lstrip().startswith(b"{") else "no YAML"
        raise ConfigError(f"{file} is {form}: {error}. Correct it, or name another with --kubeconfig.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} is no kubeconfig: a mapping was expected, found {kind_of(content)}.")
    return cast(Json, content)


def named(merged: Merged, section: str, name: str, asked_by: str) -> KubeconfigEntry | None:
    """The entry of this name; None for no name. ConfigError if the named entry does not exist."""
    if not name:
        return None
    entries = merged.entries[section]
    if name in entries:
        return entries[name]
    import difflib  # only for a misspelt name

    near = difflib.get_close_matches(name, entries, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(entries)) or 'none'}."
    files = ", ".join(str(file) for file in merged.files) or "the kubeconfig"
    raise ConfigError(f"{asked_by} names {section[:-1]} {name!r}, which {files} does not have: {advice}")


def read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{what} cannot be read: {path}: {error.strerror}.") from None
    if len(data) > MOST_FILE:
        raise ConfigError(f"{what} cannot be read: {path} has more than {MOST_FILE >> 20} MiB.")
    return data


def kind_of(value: Any) -> str:
    names = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        int: "a number",
        bool: "true or false",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)
