"""`serinus verdict`: the verdict on counts of requests and errors, look by look, as in an analysis."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import click

from serinus.analysis.sequential.looks import compares
from serinus.analysis.sequential.settings import Settings, SetupError, checked
from serinus.analysis.sequential.tally import Tally, Verdict
from serinus.api.messages.visible import visible_json
from serinus.cli.framework.errors import Problem
from serinus.cli.verdict_calibrate import calibrate
from serinus.cli.verdict_plan import plan
from serinus.cli.verdict_report import report_command
from serinus.cli.verdicts.verdict_lines import looks_of

SHORT = "The verdict of counts of requests and errors, with a stated error bound"

DIGITS = 9
"""Decimals of printed numbers."""


@click.group("verdict", invoke_without_command=True, short_help="The verdict of counts of requests and errors.")
@click.option("--false-abort", default=0.05, show_default=True, help="Highest probability to abort a good version.")
@click.option("--false-pass", default=0.05, show_default=True, help="Highest probability to call a bad version safe.")
@click.option("--tolerated", default=1.0, show_default=True, help="Ratio of error rates up to which nothing is wrong.")
@click.option("--margin", default=1.5, show_default=True, help="Ratio of error rates that is never safe.")
@click.option("--budget", type=float, help="Error rate that is allowed, whatever the stable version's is.")
@click.option("--dispersion", default=1.0, show_default=True, help="Variance over mean of errors per look, if known.")
@click.pass_context
def command(
    context: click.Context,
    false_abort: float,
    false_pass: float,
    tolerated: float,
    margin: float,
    budget: float | None,
    dispersion: float,
) -> None:
    """Reads looks as JSON lines from standard input, and prints each with the verdict after it.

    A look has the counts since the look before. Errors are the requests that you count as failed. "logHarm" and "logSafe" are
    the natural logarithms of the evidence: harm from log(1 / false-abort) on, safe from log(1 / false-pass) on.

    \b
    echo '{"canary": {"requests": 20, "errors": 6}, "stable": {"requests": 180, "errors": 2}}' | serinus verdict
    echo '[20, 6, 180, 2]' | serinus verdict --margin 2 --budget 0.01
    """
    context.obj = settings_of(Settings(false_abort, false_pass, tolerated, margin, budget, dispersion))
    if context.invoked_subcommand is None:
        print_verdicts(context.obj, sys.stdin.buffer)


command.add_command(plan)
command.add_command(calibrate)
command.add_command(report_command)


def settings_of(settings: Settings) -> Settings:
    """The settings, checked. Problem names the flag."""
    try:
        return checked(settings)
    except SetupError as error:
        flag = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in error.field)
        raise Problem(f"--{flag}{str(error).removeprefix(error.field)}") from None


def print_verdicts(settings: Settings, lines: Iterable[bytes]) -> None:
    """Print each line with the verdict after it. Problem names the first line that is no look, and the field."""
    tally = Tally(settings)
    for number, (value, look) in enumerate(looks_of(lines), start=1):
        if settings.budget is None and not compares(value):
            raise Problem(
                f"look {number}: stable: is missing: without a stable version to compare with, set --budget, the error rate "
                "that is allowed"
            )
        click.echo(visible_json(json.dumps(_shown(value, tally.add(look), tally))))


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
