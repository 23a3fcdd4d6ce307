"""What a canary step does, in words for people: the command line, the dashboard and the engine's reasons name it alike."""

from __future__ import annotations

from typing import Any

from serinus.api.plurals import count

Json = dict[str, Any]


def step_words(step: Json) -> str:
    """As the end of a sentence: `set the weight to 20 %`."""
    if step.get("setWeight") is not None:
        return f"set the weight to {step['setWeight']} %"
    if step.get("pause") is not None:
        duration = _map(step, "pause").get("duration")
        return "pause until promoted" if duration is None else f"pause for {length(duration)}"
    scale = step.get("setCanaryScale")
    if isinstance(scale, dict):
        if scale.get("matchTrafficWeight"):
            return "scale the canary with its weight"
        if scale.get("replicas") is not None:
            return f"scale the canary to {count(scale['replicas'], 'pod')}"
        return f"scale the canary to {scale.get('weight')} %"
    for field, words in (
        ("setHeaderRoute", "route by header"),
        ("setMirrorRoute", "mirror requests"),
        ("plugin", "run the plugin"),
    ):
        if step.get(field) is not None:
            return f"{words} {_map(step, field).get('name') or ''}".rstrip()
    if step.get("analysis") is not None:
        names = [str(t.get("templateName")) for t in _map(step, "analysis").get("templates") or []]
        return f"run the analysis {', '.join(names)}".rstrip()
    return "run an experiment" if step.get("experiment") is not None else "unknown step"


def length(duration: Any) -> str:
    """A pause's duration as it was written, with its unit: a bare number means seconds."""
    text = str(duration)
    return f"{text}s" if text.lstrip("+-").isdigit() else text


def _map(obj: Json, key: str) -> Json:
    found = obj.get(key)
    return found if isinstance(found, dict) else {}
