"""`serinus eval`: evaluates a condition of an analysis on a result, without an AnalysisRun."""

from __future__ import annotations

import json
import sys
import time

import msgspec

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.samples import KINDS, Sample, answer, judged
from serinus.api.decoding.nesting import TOO_DEEP, too_deep
from serinus.api.messages.visible import visible_json
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag

SHORT = "Evaluate a condition of an analysis on a result"


def run(call: Call) -> int:
    (condition,) = call.args
    now = time.time()
    if condition == "-":
        for line in sys.stdin.buffer:
            if line.strip():
                print(_answered(line, now), flush=True)
        return 0
    if "result" not in call.given:
        raise Problem("--result is missing: give the result as JSON, such as --result '[0.96]'")
    text = call.text("result").encode("utf-8", "surrogateescape")
    if too_deep(text):
        raise Problem(f"--result: {TOO_DEEP}")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Problem(f"--result is no JSON: {error}", "Text is JSON in double quotes: --result '\"ok\"'") from None
    try:
        print("true" if judged(Sample(condition, value, call.text("kind")), now) else "false")
    except ConditionError as error:
        raise Problem(str(error)) from None
    return 0


def _answered(line: bytes, now: float) -> str:
    if too_deep(line):
        return visible_json(json.dumps({"error": f"the line cannot be read: {TOO_DEEP}"}))
    try:
        sample = msgspec.json.decode(line, type=Sample)
    except msgspec.DecodeError as error:
        return visible_json(json.dumps({"error": f"the line is no object with condition, result and kind: {error}"}))
    return visible_json(json.dumps(answer(sample, now), ensure_ascii=False))


COMMAND = Command(
    run,
    "Prints true or false: what CONDITION (a successCondition or failureCondition) says of a result.\n\n"
    "`--kind floats` is a list of numbers as Prometheus gives it, `--kind float` one number; NaN and the infinities are\n"
    'written as the strings "NaN", "+Inf", "-Inf".\n\n'
    'With - as CONDITION, each line of standard input is an object {"condition", "result", "kind"}, and is printed with\n'
    'its "value" or its "error" added, in order.',
    "CONDITION",
    (
        "serinus eval 'result[0] >= 0.95' --result '[0.96]' --kind floats",
        "serinus eval 'result.errors / result.total < 0.01' --result '{\"errors\": 3, \"total\": 1000}'",
    ),
    flags=(
        Flag("result", "The provider's result, as JSON", metavar="JSON"),
        Flag("kind", "How the provider gives it", default="json", choices=tuple(KINDS)),
    ),
    least=1,
    most=1,
)
