"""What an image means on this machine: the command that stands for it. Pure.

In this order: the rules of the user (ConfigMap `serinus-images`, first in the pod's namespace, then in kube-system),
the container's own `command`, the demo application. Everything else does not exist, and the error says what to do.

    apiVersion: v1
    kind: ConfigMap
    metadata: {name: serinus-images}
    data:
      images.yaml: |
        - image: shop/web:*            # * and ? match as in a shell; without a tag, every tag matches
          command: [./web, --listen, "$(HOST):$(PORT)", --version, "$(IMAGE_TAG)"]
          args: []                     # replaced by the container's `args`, like an image's CMD
          workingDir: /home/me/shop
          env: {MODE: local}
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from serinus.api import go_yaml
from serinus.api.meta import Json

CONFIG_MAP = "serinus-images"
KEY = "images.yaml"
SHARED_NAMESPACE = "kube-system"

DEMO = "argoproj/rollouts-demo"
DEMO_COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
DEMO_PORT = 8080


class ImageError(Exception):
    """An image that cannot be run here; the message is for the user. `reason` as a kubelet would give it."""

    def __init__(self, message: str, *, reason: str = "ErrImagePull") -> None:
        super().__init__(message)
        self.message, self.reason = message, reason


@dataclass(frozen=True, slots=True)
class Program:
    """`command` is empty where a container engine runs the image's own. `env` comes below the container's own."""

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class ImageRule:
    pattern: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def split(image: str) -> tuple[str, str]:
    """(repository without the default registry, tag); the tag is `latest` where none is given."""
    name = image.partition("@")[0]
    for registry in ("docker.io/", "index.docker.io/", "registry-1.docker.io/"):
        name = name.removeprefix(registry)
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name.removeprefix("library/"), "latest"
    return repository.removeprefix("library/"), tag


def read_rules(text: str, where: str) -> list[ImageRule]:
    """The rules in `images.yaml`. ImageError names the place, the field, what was found, and what to write."""
    try:
        found: Any = go_yaml.load(text)
    except go_yaml.YamlError as error:
        raise ImageError(f"{where}: {KEY} is no YAML: {error}") from None
    if found is None:
        return []
    if not isinstance(found, list):
        raise ImageError(
            f'{where}: {KEY} must be a list of rules such as `- {{image: "shop/web:*", command: [./web]}}`'
        )
    return [_rule(item, f"{where}: {KEY}[{i}]") for i, item in enumerate(found)]


def _rule(item: Any, where: str) -> ImageRule:
    if not isinstance(item, dict):
        raise ImageError(f"{where} is {item!r}: write a rule with `image` and `command`")
    rule: Json = item
    unknown = rule.keys() - {"image", "command", "args", "workingDir", "env"}
    if unknown:
        raise ImageError(
            f"{where}: unknown field {sorted(unknown)[0]!r}; known are image, command, args, workingDir, env"
        )
    image = rule.get("image")
    if not isinstance(image, str) or not image:
        raise ImageError(f'{where}.image is {image!r}: write the name of an image, such as "shop/web:*"')
    env = rule.get("env") or {}
    if not isinstance(env, dict):
        raise ImageError(f"{where}.env is {env!r}: write names and values, such as {{MODE: local}}")
    command = _words(rule.get("command"), f"{where}.command")
    if not command:
        raise ImageError(f"{where}.command is missing: write what to run, such as [./web]")
    return ImageRule(
        image,
        command,
        _words(rule.get("args"), f"{where}.args"),
        str(rule.get("workingDir") or ""),
        {str(k): str(v) for k, v in env.items()},
    )


def _words(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(w, str | int | float) for w in value):
        raise ImageError(f"{where} is {value!r}: write a list of words, such as [./web, --verbose]")
    return tuple(str(w) for w in value)


def program_of(container: Json, rules: Sequence[ImageRule], namespace: str) -> Program:
    """The program that a container runs here. ImageError if there is none."""
    image = str(container.get("image") or "")
    repository, tag = split(image)
    command = tuple(str(w) for w in container.get("command") or ())
    args = tuple(str(w) for w in container.get("args") or ())
    known = {"IMAGE": image, "IMAGE_TAG": tag}
    for rule in rules:
        if _matches(rule.pattern, repository, tag):
            return Program(
                command or rule.command,
                args or (() if command else rule.args),
                rule.working_dir,
                {**rule.env, **known},
                f"local://{image}",
            )
    if command:
        return Program(command, args, "", known, f"local://{image}")
    if repository == DEMO:
        return Program(_demo(image, tag), args, "", {**known, "PYTHONPATH": _PACKAGES}, f"local://{image}")
    raise ImageError(
        f'image "{image}" is not known on this machine, where containers run as local processes: '
        f"add a rule for it to the ConfigMap {CONFIG_MAP} in namespace {namespace} (key {KEY}: "
        f'`- {{image: "{repository}:*", command: [./program]}}`), give the container a `command`, '
        "or run real images with `serinus up --runtime docker`"
    )


def _matches(pattern: str, repository: str, tag: str) -> bool:
    wanted, wanted_tag = split(pattern)
    if ":" not in pattern.rpartition("/")[2]:
        wanted_tag = "*"
    return fnmatchcase(repository, wanted) and fnmatchcase(tag, wanted_tag)


def _demo(image: str, tag: str) -> tuple[str, ...]:
    kind, dash, color = tag.rpartition("-")
    if color not in DEMO_COLORS or kind not in ("", "bad", "slow") or bool(dash) != bool(kind):
        raise ImageError(
            f'image "{image}" does not exist: {DEMO} has the tags {", ".join(DEMO_COLORS)}, '
            "each also with bad- (answers fail) and slow- (answers are late) before it"
        )
    return (sys.executable, "-m", "serinus.demo.app", "--host", "$(POD_IP)", "--port", str(DEMO_PORT), "--color", tag)


_PACKAGES = str(Path(__file__).resolve().parents[3])
"""Where the package is: the demo runs in the pod's directory, and must find it even if it is not installed."""
