"""Builds a container's command, environment, directory and limits from its spec and the referenced objects."""

from __future__ import annotations

from collections.abc import Mapping

from serinus.api.meta import Json
from serinus.api.values import quantity
from serinus.kube.errors import ApiError
from serinus.local.node import volumes
from serinus.local.node.containers.runtime import Launch
from serinus.local.node.environment import MissingConfig, environment, expand, sources
from serinus.local.node.images import ImageProgram
from serinus.local.node.pod_context import ContainerContext


class NotYet(Exception):
    """The container cannot start now; the message has the field or object, and the fix."""


async def prepare(
    home: ContainerContext, name: str, spec: Json, field: str, program: ImageProgram, attempt: int
) -> Launch:
    """A container's launch. `field`: `containers` or `initContainers`; `attempt`: 0 for the first. Raises NotYet."""
    pod = home.pod()
    ports = tuple(int(p["containerPort"]) for p in spec.get("ports") or [] if p.get("protocol", "TCP") == "TCP")
    base = {**base_environment(home, pod, ports), **program.env}
    path = f"spec.{field}{{{name}}}"
    try:
        given = await home.config.fetch(home.ref.namespace, sources(pod, spec) | volumes.needed(pod))
        env = environment(pod, spec, base, home.host, given)
        directory = home.runtime.directory(home.ref)
        if directory is not None:
            env.setdefault(volumes.VARIABLE, str(directory / "volumes"))
            for remark in volumes.make(pod, directory / "volumes", home.host, home.ip, given):
                home.say("UnsupportedMount", remark, True, path)
    except MissingConfig as error:
        raise NotYet(str(error)) from None
    except ApiError as error:
        raise NotYet(error.message) from None
    except OSError as error:
        raise NotYet(f"the pod's directory cannot be written: {error.strerror or error}") from None
    except ValueError as error:
        raise NotYet(f"a volume of the pod has a path that no file can have: {error}") from None
    known = {**env}
    argv = tuple(expand(w, known) for w in (*program.command, *program.args))
    working_dir = str(spec.get("workingDir") or program.working_dir or "")
    if wrong := unusable(f"spec.{field}[{name}]", spec, argv, env, working_dir):
        raise NotYet(wrong)
    image = str(spec.get("image") or "")
    return Launch(
        home.ref, name, attempt, argv, env, working_dir, home.ip, image, ports, tuple(env), memory_limit(spec)
    )


def base_environment(home: ContainerContext, pod: Json, ports: tuple[int, ...]) -> dict[str, str]:
    """The default environment of every container."""
    return {
        "POD_IP": home.ip,
        "HOST": home.ip,
        **({"PORT": str(ports[0])} if ports else {}),
        "HOSTNAME": str(pod["spec"].get("hostname") or home.ref.name),
    }


def memory_limit(spec: Json) -> int:
    """The container's memory limit in bytes; 0 for none."""
    given = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    return int(quantity.parse(given)) if given is not None else 0


def unusable(path: str, spec: Json, argv: tuple[str, ...], env: Mapping[str, str], working_dir: str) -> str:
    """The first text that a process cannot receive, with its field and the fix; "" if there is none.

    Commands and environments are C strings, which end at the first NUL character (execve(2)); half of a surrogate pair
    is not a character.
    """
    own = [f"{path}.{key}[{i}]" for key in ("command", "args") for i in range(len(spec.get(key) or []))]
    places = own if len(own) == len(argv) else [f"word {i + 1} of the command of {path}" for i in range(len(argv))]
    texts = [*zip(places, argv, strict=True), (f"{path}.workingDir", working_dir)]
    for name, value in env.items():
        if "=" in name or not name:
            return f"{path}.env: a variable cannot be called {name!r}: use a name without '='"
        texts += [(f"the name {name!r} in {path}.env", name), (f"variable {name!r} of {path}.env", value)]
    for place, text in texts:
        if "\0" in text:
            return f"{place} is {_short(text)}: no process can be given a NUL character (\\u0000); remove it"
        if not _encodable(text):
            return f"{place} is {_short(text)}: half of a surrogate pair is no character; remove it"
    return ""


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(text: str) -> str:
    return ascii(text if len(text) <= 60 else f"{text[:60]}…")
