"""`serinus verdict`: the verdict on counts of requests and errors, look by look, as in an analysis."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from serinus.analysis.sequential.looks import Look, compares
from serinus.analysis.sequential.record import Course
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.tally import Tally, Verdict
from serinus.api.messages.visible import visible_json
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag, real
from serinus.cli.verdicts.verdict_lines import looks_of
from serinus.cli.verdicts.verdict_settings import SETTINGS, settings_of

SHORT = "The verdict of counts of requests and errors, with a stated error bound"

DIGITS = 9
"""Decimals of printed numbers."""


def run(call: Call) -> int:
    print_verdicts(settings_of(call), sys.stdin.buffer, call.value("weight"))
    return 0


def print_verdicts(settings: VerdictSettings, lines: Iterable[bytes], weight: float | None) -> None:
    """Print each line with the verdict after it. `weight`: the canary's in percent; a look may have its own.

    Problem names the first line that is no look, and the field, or the first look whose requests do not split so.
    """
    tally, course = Tally(settings), Course()
    for number, (value, look) in enumerate(looks_of(lines), start=1):
        if settings.budget is None and not compares(value):
            raise Problem(
                f"look {number}: stable: is missing: without a stable version to compare with, set --budget, the error rate "
                "that is allowed"
            )
        if compares(value):
            _check_split(course, number, value, look, weight)
        print(visible_json(json.dumps(_shown(value, tally.add(look), tally))), flush=True)


def _check_split(course: Course, number: int, value: Any, look: Look, weight: float | None) -> None:
    own = value.get("weight") if isinstance(value, dict) else None
    percent = weight if own is None else own
    if percent is None:
        return
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise Problem(f"look {number}: weight: {percent!r} is no percentage between 0 and 100")
    course.note_split(look, percent / 100, fixed=own is None)
    mismatch = course.mismatch("leave the weight out")
    if mismatch:
        raise Problem(f"look {number}: {mismatch}")


def _shown(value: Any, verdict: Verdict, tally: Tally) -> dict[str, Any]:
    look = value if isinstance(value, dict) else {"look": value}
    shown = {
        "logHarm": round(verdict.log_harm, DIGITS),
        "logSafe": round(verdict.log_safe, DIGITS),
        "verdict": verdict.verdict,
        "dispersion": round(verdict.dispersion, DIGITS),
        "ratio": [None if end is None else round(end, 3) for end in tally.ratio_interval()],
    }
    if verdict.dispersion != 1:
        shown |= {
            "logHarmAdjusted": round(verdict.log_harm_adjusted, DIGITS),
            "logSafeAdjusted": round(verdict.log_safe_adjusted, DIGITS),
        }
    return {**look, **shown}


COMMAND = Command(
    run,
    "Reads looks as JSON lines from standard input, and prints each with the verdict after it.\n\n"
    'A look has the counts since the look before. Errors are the requests that you count as failed. "logHarm" and\n'
    '"logSafe" are the natural logarithms of the evidence: harm from log(1 / false-abort) on, safe from\n'
    "log(1 / false-pass) on.\n\n"
    'A look may have a "weight", the canary\'s share of the traffic in percent, as --weight for all looks. If the requests\n'
    "do not split so, the looks are wrong, and the command ends with an error in place of a verdict.",
    "",
    (
        'echo \'{"canary": {"requests": 20, "errors": 6}, "stable": {"requests": 180, "errors": 2}}\' | serinus verdict',
        "echo '[20, 6, 180, 2]' | serinus verdict --margin 2 --budget 0.01",
    ),
    flags=(
        *SETTINGS,
        Flag(
            "weight", "Canary's share of the traffic in percent, to check the split", default=None, parse=real(0, 100)
        ),
    ),
)
