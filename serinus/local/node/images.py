"""Maps an image to a command on this machine. Pure.

Precedence: the user's rules (the file of `--image-map`, then the ConfigMap `serinus-images` in the pod's namespace,
then the one in kube-system; the first matching rule wins), the container's own `command`, the demo application. The
container's own `command` replaces that of a rule. Any other image is an error that states the fix.

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

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from serinus.api.messages.counted import counted
from serinus.api.meta import Json
from serinus.api.yaml import reader as go_yaml

CONFIG_MAP = "serinus-images"
KEY = "images.yaml"
SHARED_NAMESPACE = "kube-system"

DEMO = "argoproj/rollouts-demo"
DEMO_COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
DEMO_PORT = 8080


class ImageError(Exception):
    """An image that cannot run here; the message is for the user. `reason` as in a kubelet."""

    def __init__(self, message: str, *, reason: str = "ErrImagePull") -> None:
        super().__init__(message)
        self.message, self.reason = message, reason


@dataclass(frozen=True, slots=True)
class ImageProgram:
    """`command` is empty if a container engine runs the image's own. The container's own variables override `env`.

    `because`: a sentence with the command's source; "" for none.
    """

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    image_id: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class ImageRule:
    """`place`: the rule's location, such as `ConfigMap shop/serinus-images: images.yaml[0]`."""

    pattern: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    place: str = ""


def split(image: str) -> tuple[str, str]:
    """(repository without the default registry, tag); the default tag is `latest`."""
    name = image.partition("@")[0]
    for registry in ("docker.io/", "index.docker.io/", "registry-1.docker.io/"):
        name = name.removeprefix(registry)
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name.removeprefix("library/"), "latest"
    return repository.removeprefix("library/"), tag


def config_map_place(namespace: str) -> str:
    """The location of a namespace's rules, for errors and Events."""
    return f"ConfigMap {namespace}/{CONFIG_MAP}: {KEY}"


def read_rules(text: str, where: str) -> list[ImageRule]:
    """The rules in `text`. ImageError has the location (`where`), the field, the value found, and the fix."""
    try:
        documents = list(go_yaml.documents(text, strict=True))
    except go_yaml.YamlError as error:
        raise ImageError(f"{where} cannot be read as YAML: {error}") from None
    if len(documents) > 1:
        raise ImageError(f"{where} has {counted(len(documents), 'document')}: write all rules into one list")
    rules: Any = documents[0].value if documents else []
    if not isinstance(rules, list):
        raise ImageError(f'{where} must be a list of rules such as `- {{image: "shop/web:*", command: [./web]}}`')
    listed: list[Any] = rules
    return [_rule(item, f"{where}[{i}]") for i, item in enumerate(listed)]


def _rule(item: Any, place: str) -> ImageRule:
    if not isinstance(item, dict):
        raise ImageError(f"{place} is {item!r}: write a rule with `image` and `command`")
    rule: Json = item
    unknown = sorted(str(k) for k in rule.keys() - {"image", "command", "args", "workingDir", "env"})
    if unknown:
        raise ImageError(f"{place}: unknown field {unknown[0]!r}; known are image, command, args, workingDir, env")
    image = rule.get("image")
    if not isinstance(image, str) or not image:
        raise ImageError(f'{place}.image is {image!r}: write the name of an image, such as "shop/web:*"')
    env = rule.get("env") or {}
    if not isinstance(env, dict):
        raise ImageError(f"{place}.env is {env!r}: write names and values, such as {{MODE: local}}")
    values: Json = env
    for name, value in values.items():
        if not isinstance(value, str):
            raise ImageError(f"{place}.env.{name} is {value!r}: write a text, in quotes")
    directory = rule.get("workingDir") or ""
    if not isinstance(directory, str):
        raise ImageError(f"{place}.workingDir is {directory!r}: write the path of a directory")
    command = _words(rule.get("command"), f"{place}.command")
    if not command:
        raise ImageError(f"{place}.command is missing: write the command to run, such as [./web]")
    return ImageRule(
        image,
        command,
        _words(rule.get("args"), f"{place}.args"),
        directory,
        {str(k): str(v) for k, v in values.items()},
        place,
    )


def _words(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ImageError(f"{where} is {value!r}: write a list of words, such as [./web, --verbose]")
    words: list[Any] = value
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise ImageError(f'{where}[{i}] is {word!r}: write a word; numbers and booleans in quotes, such as "8080"')
    return tuple(words)


def program_of(container: Json, rules: Sequence[ImageRule], namespace: str) -> ImageProgram:
    """The program that a container runs here. Raises ImageError if there is none."""
    image = str(container.get("image") or "")
    repository, tag = split(image)
    command = tuple(str(w) for w in container.get("command") or ())
    args = tuple(str(w) for w in container.get("args") or ())
    known = {"IMAGE": image, "IMAGE_TAG": tag}
    image_id = f"local://{image}"
    for rule in rules:
        if _matches(rule.pattern, repository, tag):
            source = f'the rule "{rule.pattern}" ({rule.place})'
            return ImageProgram(
                command or rule.command,
                args or (() if command else rule.args),
                rule.working_dir,
                {**rule.env, **known},
                image_id,
                _because(image, f"the container's own command, with the directory and environment of {source}")
                if command
                else _because(image, f"the command of {source}: {shlex.join(rule.command)}"),
            )
    if command:
        return ImageProgram(command, args, "", known, image_id, _because(image, "the container's own command"))
    if repository == DEMO:
        because = _because(image, "the demo application of Serinus")
        return ImageProgram(_demo(image, tag), args, "", {**known, "PYTHONPATH": _PACKAGES}, image_id, because)
    raise ImageError(_unknown(container, image, repository, rules, namespace))


def _because(image: str, program: str) -> str:
    return (
        f'Image "{image}" is not used: containers run here as local processes of the user that runs Serinus. '
        f"This one runs {program}"
    )


def _unknown(container: Json, image: str, repository: str, rules: Sequence[ImageRule], namespace: str) -> str:
    """The error for an image without a matching rule, with a rule and the command that applies it."""
    rule = f"- {{image: {json.dumps(f'{repository}:*')}, command: [{', '.join(_stand_in(container))}]}}"
    place = config_map_place(namespace)
    if any(r.place.startswith(place) for r in rules):
        apply = f"add the line `{rule}` with `kubectl edit configmap {CONFIG_MAP} -n {namespace}`"
    else:
        create = f"kubectl create configmap {CONFIG_MAP} -n {namespace} --from-file={KEY} --dry-run=client -o yaml"
        apply = f"type `echo {shlex.quote(rule)} >> {KEY}` and then `{create} | kubectl apply -f -`"
    return (
        f'image "{image}" has no command on this machine, where containers run as local processes. To run it, {apply}, '
        f"with your own program as the command. Other ways: a `command` in the container, "
        f"`serinus up --image-map {KEY}`, or real images with `serinus up --runtime docker` (docs/images.md)"
    )


def _stand_in(container: Json) -> tuple[str, ...]:
    """A command that works unchanged: a web server if the container declares a TCP port."""
    if any((p.get("protocol") or "TCP") == "TCP" for p in container.get("ports") or []):
        return "python3", "-m", "http.server", "--bind", "$(HOST)", "--directory", "/usr/share", "$(PORT)"
    return "sleep", "infinity"


def _matches(pattern: str, repository: str, tag: str) -> bool:
    wanted_repository, wanted_tag = split(pattern)
    if ":" not in pattern.rpartition("/")[2]:
        wanted_tag = "*"
    return fnmatchcase(repository, wanted_repository) and fnmatchcase(tag, wanted_tag)


def _demo(image: str, tag: str) -> tuple[str, ...]:
    kind, dash, color = tag.rpartition("-")
    if color not in DEMO_COLORS or kind not in ("", "bad", "slow") or bool(dash) != bool(kind):
        raise ImageError(
            f'image "{image}" does not exist: {DEMO} has the tags {", ".join(DEMO_COLORS)}, '
            "each also with bad- (answers fail) and slow- (answers are late) before it"
        )
    return (sys.executable, "-m", "serinus.demo.app", "--host", "$(POD_IP)", "--port", str(DEMO_PORT), "--color", tag)


_PACKAGES = str(Path(__file__).resolve().parents[3])
"""The package's location: the demo runs in the pod's directory and needs it if Serinus is not installed."""
