"""Arguments: values from a Rollout, values of a run, and their precedence (spec/analysis.md §1)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import Room, TooLarge
from serinus.analysis.expr.values import float_text
from serinus.analysis.templating import filled
from serinus.api.analysis import Argument, SecretKeyRef

Secrets = Mapping[str, Mapping[str, str] | None]
"""The Secrets that the arguments name, decoded, by name; None for a Secret that does not exist."""

FOR_VALIDATION = "temp-for-secret"
"""Replaces secret values while a run is validated, so that no message contains one."""

ARGUMENTS = "arguments of an analysis"
"""The noun for the message about arguments that are too long together."""

OF_EXPERIMENTS = ("templates.", "experiment.")
"""Prefixes of the placeholders in the arguments of an Experiment's analyses."""

_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


def argument_values(
    args: Sequence[Argument], secrets: Secrets | None, stand_in: str = FOR_VALIDATION
) -> dict[str, str]:
    """name -> value. A Secret takes precedence over a value. `secrets`: None uses `stand_in` for their values.

    AnalysisProblem for an argument without a value. A `fieldRef` has none here: only a Rollout resolves it.
    """
    values: dict[str, str] = {}
    for arg in args:
        reference = arg.value_from.secret_key_ref if arg.value_from else None
        if reference is not None:
            values[arg.name] = stand_in if secrets is None else _secret(arg.name, reference, secrets)
        elif arg.value is not None:
            values[arg.name] = arg.value
        else:
            raise AnalysisProblem(f'argument "{arg.name}" was not supplied')
    return values


def _secret(argument: str, reference: SecretKeyRef, secrets: Secrets) -> str:
    data = secrets.get(reference.name)
    missing = ("Secret", reference.name)
    if data is None:
        raise AnalysisProblem(f'secrets "{reference.name}" not found (argument "{argument}")', missing=missing)
    if reference.key not in data:
        text = f"key '{reference.key}' does not exist in secret '{reference.name}' (argument \"{argument}\")"
        raise AnalysisProblem(text, missing=missing)
    return data[reference.key]


def secret_names(args: Sequence[Argument]) -> list[str]:
    """The Secrets to read before a run is resolved."""
    names = [a.value_from.secret_key_ref.name for a in args if a.value_from and a.value_from.secret_key_ref]
    return list(dict.fromkeys(names))


def secret_values(args: Sequence[Argument], values: Mapping[str, str]) -> list[str]:
    """The secret values, which no text may show."""
    secrets = [values[a.name] for a in args if a.value_from and a.value_from.secret_key_ref and a.name in values]
    return [value for value in secrets if value]


def merged_arguments(of_templates: Sequence[Sequence[Argument]], given: Collection[str] = ()) -> list[Argument]:
    """The arguments of several templates as one list.

    AnalysisProblem if two templates set different values, unless the caller sets the argument (`given`).
    """
    merged: dict[str, Argument] = {}
    for args in of_templates:
        for arg in args:
            known = merged.get(arg.name)
            if known is None or (known.value is None and (arg.value is not None or arg.value_from is not None)):
                merged[arg.name] = arg
            elif arg.value is not None and arg.value != known.value and arg.name not in given:
                raise AnalysisProblem(
                    f"Argument `{arg.name}` specified multiple times with different values: "
                    f"'{known.value}', '{arg.value}'"
                )
    return list(merged.values())


def overridden(declared: Sequence[Argument], given: Sequence[Argument]) -> list[Argument]:
    """Declared arguments with the caller's values. Others are dropped. AnalysisProblem for one without a value."""
    by_name = {arg.name: arg for arg in given}
    arguments: list[Argument] = []
    for arg in declared:
        own = by_name.get(arg.name, Argument())
        value = own.value if own.value is not None else arg.value
        source = own.value_from if own.value is None and own.value_from is not None else arg.value_from
        if value is None and (source is None or source.secret_key_ref is None):
            raise AnalysisProblem(f"args.{arg.name} was not resolved", argument=arg.name)
        arguments.append(Argument(arg.name, value, source))
    return arguments


def rollout_arguments(
    args: Sequence[Argument], rollout: Mapping[str, Any], *, latest: str, stable: str, room: Room | None = None
) -> list[Argument]:
    """A Rollout's arguments as plain values. `rollout`: its JSON. `room`: their limit, if other objects share it.

    AnalysisProblem for a field that does not exist; TooLarge for values that do not fit into `room`.
    """
    arguments: list[Argument] = []
    left = room or Room(ARGUMENTS)
    for arg in args:
        try:
            value = _of_rollout(arg, rollout, latest, stable)
            left.take(len(value or ""))
            arguments.append(Argument(arg.name, value))
        except TooLarge as problem:
            problem.path.append(f"args.{arg.name}")
            raise
        except AnalysisProblem as problem:
            raise AnalysisProblem(f"args.{arg.name}: {problem}", argument=arg.name) from None
    return arguments


def _of_rollout(arg: Argument, rollout: Mapping[str, Any], latest: str, stable: str) -> str | None:
    source = arg.value_from
    if source is None:
        return arg.value
    if source.pod_template_hash_value is not None:
        return {"Latest": latest, "Stable": stable}.get(source.pod_template_hash_value, "")
    if source.field_ref is not None:
        path = source.field_ref.field_path
        return _metadata(path, rollout) if path.startswith("metadata") else _walked(path, rollout)
    return arg.value


def experiment_arguments(
    args: Sequence[Argument],
    templates: Mapping[str, tuple[str, str]],
    *,
    available_at: str = "",
    finished_at: str = "",
) -> list[Argument]:
    """An Experiment's arguments as plain values (spec/analysis.md §6, Analyses).

    `templates`: name -> (pod template hash, name of the ReplicaSet). Times are RFC 3339, "" for none.
    AnalysisProblem for an unknown `{{templates.…}}` or `{{experiment.…}}`. Any other `{{ … }}` is unchanged.
    """
    left = Room(ARGUMENTS)
    times = {"experiment.availableAt": available_at, "experiment.finishedAt": finished_at}

    def value_of(tag: str) -> str | None:
        if tag in times:
            return times[tag] or None
        for index, end in enumerate((".podTemplateHash", ".replicaset.name")):
            name = tag.removeprefix("templates.").removesuffix(end)
            if tag == f"templates.{name}{end}" and name in templates:
                return templates[name][index]
        return None

    arguments: list[Argument] = []
    for arg in args:
        try:
            value = None if arg.value is None else filled(arg.value, value_of, OF_EXPERIMENTS, room=left)
        except TooLarge as problem:
            problem.path.append(f"args.{arg.name}")
            raise
        except AnalysisProblem as problem:
            raise AnalysisProblem(f"args.{arg.name}: {problem}", argument=arg.name) from None
        arguments.append(Argument(arg.name, value))
    return arguments


def _metadata(path: str, rollout: Mapping[str, Any]) -> str:
    meta: dict[str, Any] = rollout.get("metadata") or {}
    keyed = _KEYED.fullmatch(path)
    if keyed:
        return str((meta.get(keyed[1]) or {}).get(keyed[2], ""))
    if path in ("metadata.name", "metadata.namespace", "metadata.uid"):
        return str(meta.get(path.removeprefix("metadata.")) or "")
    if path in ("metadata.labels", "metadata.annotations"):
        pairs: dict[str, str] = meta.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f"{key}={json.dumps(pairs[key], ensure_ascii=False)}" for key in sorted(pairs))
    raise AnalysisProblem(f"unsupported fieldPath: {path}")


def _walked(path: str, rollout: Mapping[str, Any]) -> str:
    value: Any = rollout
    for part in filter(None, re.split(r"[.\[\]]", path)):
        if isinstance(value, list):
            if not re.fullmatch(r"[+-]?\d{1,9}", part):
                raise AnalysisProblem(f"invalid index '{part}'")
            if not 0 <= int(part) < len(value):
                raise AnalysisProblem(f"index {int(part)} out of range")
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            raise AnalysisProblem(f"invalid path {path} in rollout")
    if isinstance(value, list | dict):
        raise AnalysisProblem(f"path {path} in rollout must terminate in a primitive value")
    if isinstance(value, bool):
        return "true" if value else "false"
    return float_text(float(value)) if isinstance(value, int | float) else str(value)
