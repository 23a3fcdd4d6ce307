"""`serinus eval`: evaluates a condition of an analysis on a result, without an AnalysisRun."""

from __future__ import annotations

import json
import sys
import time

import click
import msgspec

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.samples import KINDS, Sample, answer, judged
from serinus.api.decoding.nesting import TOO_DEEP, too_deep
from serinus.api.messages.visible import visible_json
from serinus.cli.framework.errors import Problem

SHORT = "Evaluate a condition of an analysis on a result"


@click.command("eval", short_help="Evaluate a condition on a result.")
@click.argument("condition")
@click.option("--result", "result", metavar="JSON", help="The provider's result, as JSON.")
@click.option("--kind", type=click.Choice(KINDS), default="json", show_default=True, help="How the provider gives it.")
def command(condition: str, result: str | None, kind: str) -> None:
    """Prints true or false: what CONDITION (a successCondition or failureCondition) says of a result.

    `--kind floats` is a list of numbers as Prometheus gives it, `--kind float` one number; NaN and the infinities are
    written as the strings "NaN", "+Inf", "-Inf".

    With - as CONDITION, each line of standard input is an object {"condition", "result", "kind"}, and is printed with
    its "value" or its "error" added, in order.

    \b
    serinus eval 'result[0] >= 0.95' --result '[0.96]' --kind floats
    serinus eval 'result.errors / result.total < 0.01' --result '{"errors": 3, "total": 1000}'
    """
    now = time.time()
    if condition == "-":
        for line in sys.stdin.buffer:
            if line.strip():
                click.echo(_answered(line, now))
        return
    if result is None:
        raise Problem("--result is missing: give the result as JSON, such as --result '[0.96]'")
    text = result.encode("utf-8", "surrogateescape")
    if too_deep(text):
        raise Problem(f"--result: {TOO_DEEP}")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Problem(f"--result is no JSON: {error}", "Text is JSON in double quotes: --result '\"ok\"'") from None
    try:
        click.echo("true" if judged(Sample(condition, value, kind), now) else "false")
    except ConditionError as error:
        raise Problem(str(error)) from None


def _answered(line: bytes, now: float) -> str:
    if too_deep(line):
        return visible_json(json.dumps({"error": f"the line cannot be read: {TOO_DEEP}"}))
    try:
        sample = msgspec.json.decode(line, type=Sample)
    except msgspec.DecodeError as error:
        return visible_json(json.dumps({"error": f"the line is no object with condition, result and kind: {error}"}))
    return visible_json(json.dumps(answer(sample, now), ensure_ascii=False))
