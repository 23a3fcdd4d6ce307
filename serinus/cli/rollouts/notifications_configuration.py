"""The input of the `notifications` commands: a configuration from files or the cluster, and a Rollout."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serinus.api.names import NOTIFICATION_CONFIG_MAP, NOTIFICATION_SECRET
from serinus.cli.cluster.session import Session, open_session
from serinus.cli.framework.commandline import Call
from serinus.cli.framework.errors import NOT_FOUND, USAGE, Problem
from serinus.cli.framework.flags import Flag

if TYPE_CHECKING:
    from serinus.api.resources import Resource
    from serinus.cli.rollouts.notification_places import Unread
    from serinus.notifications.configuration import Configuration

Json = dict[str, Any]

FLAGS = (
    Flag("config-map", "File with the ConfigMap, or - for standard input; otherwise the cluster's", metavar="FILE"),
    Flag("secret", "File with the Secret, - for standard input, or :empty; otherwise the cluster's", metavar="FILE"),
    Flag("controller-namespace", "Where the controller's configuration is", default="argo-rollouts", metavar="NAME"),
)


def configuration(call: Call) -> Configuration:
    """The configuration that the flags name. Problem if it does not exist or cannot be read."""
    from serinus.notifications.configuration import read_configuration

    space, data = _config_map(call)
    return read_configuration(space, data, _secret(call, space))


def _config_map(call: Call) -> tuple[str, dict[str, str]]:
    file = call.text("config-map")
    if file:
        config_map = _from_file(file, "ConfigMap", NOTIFICATION_CONFIG_MAP)
        return str(config_map["metadata"].get("namespace") or ""), _texts(config_map.get("data"))
    from serinus.api.resources import CONFIG_MAPS

    session = open_session(call)
    spaces = dict.fromkeys((call.text("controller-namespace"), session.namespace))
    for space in spaces:
        config_map = _optional(session, CONFIG_MAPS, space, NOTIFICATION_CONFIG_MAP)
        if config_map is not None:
            return space, _texts(config_map.get("data"))
    raise Problem(
        f'configmaps "{NOTIFICATION_CONFIG_MAP}" not found in namespace {" or ".join(spaces)}',
        "Name the controller's namespace with --controller-namespace, or a file with --config-map.",
        code=NOT_FOUND,
    )


def unread_places(call: Call) -> list[Unread]:
    """The cluster's ConfigMaps of notifications that no controller reads; none if a file is the configuration."""
    if call.text("config-map"):
        return []
    import time

    from serinus.cli.rollouts.notification_places import unread

    return [*unread(open_session(call), call.text("controller-namespace"), time.time())]


def _secret(call: Call, space: str) -> dict[str, bytes]:
    file = call.text("secret")
    if file == ":empty":
        return {}
    if file:
        return _decoded(_from_file(file, "Secret", NOTIFICATION_SECRET))
    if call.text("config-map"):
        return {}
    from serinus.api.resources import SECRETS

    secret = _optional(open_session(call), SECRETS, space, NOTIFICATION_SECRET)
    return _decoded(secret) if secret is not None else {}


def _optional(session: Session, resource: Resource, space: str, name: str) -> Json | None:
    from serinus.kube.errors import ApiError, NotFound

    try:
        return session.client.get(resource, space, name)
    except NotFound:
        return None
    except ApiError as error:
        raise session.problem(error, resource, name) from error


def _from_file(file: str, kind: str, name: str) -> Json:
    from serinus.api.yaml.reader import YamlError, documents

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error.strerror}", code=USAGE) from None
    try:
        for document in documents(text):
            value = document.value
            if (
                isinstance(value, dict)
                and value.get("kind") == kind
                and (value.get("metadata") or {}).get("name") == name
            ):
                return value
    except YamlError as error:
        raise Problem(f"{file}: {error}", code=USAGE) from None
    raise Problem(f"{file} has no {kind} of the name {name}", code=USAGE)


def _texts(data: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in (data or {}).items()}


def _decoded(secret: Json) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for key, value in _texts(secret.get("data")).items():
        try:
            values[key] = base64.b64decode(value)
        except (binascii.Error, ValueError):
            continue
    return values | {key: value.encode() for key, value in _texts(secret.get("stringData")).items()}


def rollout(call: Call, name: str) -> Json:
    """A Rollout of the cluster, or of a file of that name, with the template of its workload if it refers to one."""
    if Path(name).is_file():
        from serinus.api.yaml.reader import YamlError, documents

        try:
            objects = [d.value for d in documents(Path(name).read_text()) if isinstance(d.value, dict)]
        except (YamlError, OSError) as error:
            raise Problem(f"failed to load resource: {name}: {error}", code=USAGE) from None
        subject = next((obj for obj in objects if obj.get("kind") == "Rollout"), None)
        if subject is None:
            raise Problem(f"failed to load resource: {name} has no Rollout", code=USAGE)
        return subject
    from serinus.api.resources import ROLLOUTS
    from serinus.cli.cluster.watch import workload_of

    session = open_session(call)
    subject = session.get(ROLLOUTS, name)
    workload = workload_of(session, subject)
    if workload is not None:
        spec: Json = workload.get("spec") or {}
        subject = {
            **subject,
            "spec": {**subject["spec"], **{k: spec[k] for k in ("template", "selector") if k in spec}},
        }
    return subject


def shown(value: object, call: Call) -> str:
    """`-o json` or `-o yaml` of a value."""
    import json

    from serinus.api.messages.visible import visible_json
    from serinus.api.yaml.writer import dump_all

    if call.text("output") == "json":
        return visible_json(json.dumps(value, indent=2)) + "\n"
    return dump_all([value])


OUTPUT = Flag(
    "output",
    "wide, name, json or yaml",
    short="o",
    default="wide",
    metavar="FORMAT",
    choices=("wide", "name", "json", "yaml"),
)


def table(heads: list[str], rows: list[list[str]]) -> str:
    from serinus.cli.framework.columns import Columns

    lines = Columns(heads, [5] * len(heads)).table(rows)
    return "".join(line.rstrip() + "\n" for line in lines)


def chosen(known: Any, call: Call, what: str) -> list[str]:
    """The names of the command line, or all. Problem for a name that does not exist."""
    if not call.args:
        return sorted(known)
    for name in call.args:
        if name not in known:
            raise missing(what, name, known)
    return sorted(call.args)


def missing(what: str, name: str, known: Any) -> Problem:
    return Problem(
        f"{what} with name '{name}' does not exist (found {', '.join(sorted(known)) or 'none'})", code=NOT_FOUND
    )
