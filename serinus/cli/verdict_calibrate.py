"""`serinus verdict calibrate`: from looks of the past, in which nothing was released, how far errors come in bursts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
import msgspec

from serinus.analysis.sequential.dispersion import LEAST_LOOKS, Dispersion
from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.settings import Settings
from serinus.analysis.sequential.tally import verdicts
from serinus.api.visible import visible_json
from serinus.cli.problems import Problem
from serinus.cli.verdict_lines import looks_of


@click.command("calibrate", short_help="Measure bursts and false aborts on past looks.")
@click.option(
    "--window", default=60, show_default=True, help="Looks of a release: the past is cut into so many at a time."
)
@click.pass_context
def calibrate(context: click.Context, window: int) -> None:
    """Reads looks of a time in which nothing was released, in the form that `serinus verdict` reads.

    Prints the dispersion, which a metric takes as `dispersion`, and the part of windows in which harm would have been found
    although both sides ran the same version: with the counts as they are, and with the dispersion.

    \b
    serinus verdict calibrate < last-week.jsonl
    """
    settings: Settings = context.obj
    if window < 1:
        raise Problem("--window must be 1 or more")
    looks = [look for _, look in looks_of(sys.stdin.buffer)]
    if len(looks) < LEAST_LOOKS:
        raise Problem(
            f"{len(looks)} looks are too few: a dispersion needs {LEAST_LOOKS}, and a false-abort rate many windows"
        )
    found = Dispersion()
    for look in looks:
        found.add(look.stable_requests, look.stable_errors)
    dispersion = round(found.estimate(), 3)
    windows = [looks[at : at + window] for at in range(0, len(looks) - window + 1, window)]
    learnt = msgspec.structs.replace(settings, dispersion=max(settings.dispersion, dispersion))
    told = {
        "looks": len(looks),
        "measuredDispersion": round(found.measured(), 3),
        "dispersion": dispersion,
        "windows": len(windows),
        "falseAborts": _harmed(settings, windows),
        "falseAbortsWithDispersion": _harmed(learnt, windows),
        "bound": settings.false_abort,
    }
    click.echo(visible_json(json.dumps(told)))


def _harmed(settings: Settings, windows: Sequence[Sequence[Look]]) -> float | None:
    """The part of windows in which harm was found; None without windows."""
    if not windows:
        return None
    harmed = sum(any(one.verdict == "harm" for one in verdicts(settings, window)) for window in windows)
    return round(harmed / len(windows), 4)
