"""`serinus verdict plan`: computes the duration of steps that finds a version with more errors."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import Any

from serinus.analysis.sequential.picture import picture
from serinus.analysis.sequential.planning import (
    PARTS,
    ExpectedTraffic,
    Times,
    found_by_step,
    times_to_harm,
    times_to_safe,
)
from serinus.api.messages.counted import counted
from serinus.api.values.durations import go_duration
from serinus.api.values.times import age_words
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag, real
from serinus.cli.verdicts.verdict_settings import SETTINGS, settings_of

ENOUGH = 0.8
"""A step that finds harm in a smaller share of releases is too short."""


SHORT = "How long steps must be to find harm"


def run(call: Call) -> int:
    settings = settings_of(call)
    requests, rate, ratio = call.value("requests"), call.value("rate"), call.real("ratio")
    svg = Path(call.text("svg")) if call.text("svg") else None
    if svg is not None and svg.is_dir():
        raise call.usage_problem(f"--svg: {svg} is a directory: name a file")
    if not (requests > 0 and 0 < rate < 1):
        raise Problem("--requests must be above 0, and --rate between 0 and 1, both excluded")
    if ratio <= settings.tolerated:
        raise Problem(
            f"--ratio {ratio:g} is not above --tolerated {settings.tolerated:g}: there is no harm to be found"
        )
    traffic = ExpectedTraffic(requests, rate, _duration("--interval", call.text("interval")))
    steps = [_step(text) for text in call.texts("step") or ["10:5m"]]
    chance = Random(call.number("seed")).random
    by_end = found_by_step(settings, traffic, steps, ratio, chance)
    errors, asked = counted(float(f"{rate:.3g}"), "error"), counted(requests, "request")
    print(f"A version that fails {ratio:g} times as often, beside {errors} at {asked} a minute:\n")
    print(
        _row(
            "step", "weight", "lasts", "found in it", "by its end", *(f"{p:.0%} in" for p in PARTS), "safe in", "costs"
        )
    )
    lines: list[tuple[str, Times]] = []
    warnings: list[str] = []
    for place, (weight, seconds) in enumerate(steps):
        harm = times_to_harm(settings, traffic, weight, ratio, chance)
        safe = times_to_safe(settings, traffic, weight, chance)
        within = harm.within(seconds)
        half = harm.by(0.5)
        cost = None if half is None else requests * weight * half / 60 * rate * (ratio - 1)
        times = [_words(harm.by(part)) for part in PARTS]
        print(
            _row(
                str(place + 1),
                f"{weight:.4g}"[:6] if weight < 0.01 else f"{weight:.0%}",
                _words(seconds),
                f"{within:.0%}",
                f"{by_end[place]:.0%}",
                *times,
                _words(safe.by(0.8)),
                "" if cost is None else counted(round(cost), "error"),
            )
        )
        lines.append((f"step {place + 1} ({weight:.0%})", harm))
        if within < ENOUGH:
            warnings.append(warning(place + 1, seconds, ratio, within, harm.by(0.95)))
    sys.stdout.write("".join(f"\n{text}" for text in warnings) + ("\n" if warnings else ""))
    if svg is not None:
        svg.write_text(picture(f"Chance to have found {ratio:g} times as many errors", lines))
    return 0


def warning(step: int, seconds: float, ratio: float, within: float, needed: float | None) -> str:
    """The sentence about a step that is too short."""
    lasts = f"Step {step} lasts {_words(seconds)}; a version that fails {ratio:g} times as often is found within it"
    needs = "no length of up to 30 days gives" if needed is None else f"{_words(needed)} give"
    return f"{lasts} in {within:.0%} of releases; {needs} 95%."


def _step(text: str) -> tuple[float, float]:
    weight, _, lasts = text.partition(":")
    try:
        part = float(weight.rstrip("%")) / 100
    except ValueError:
        part = -1.0
    if not 0 < part < 1 or not lasts:
        raise Problem(f"--step {text}: write the weight in percent, above 0 and below 100, and the time, such as 10:5m")
    return part, _duration(f"--step {text}", lasts)


def _duration(flag: str, text: str) -> float:
    try:
        seconds = go_duration(text)
    except ValueError as error:
        raise Problem(f"{flag}: {error}") from None
    if seconds <= 0:
        raise Problem(f"{flag}: the time must be above 0")
    return seconds


def _words(seconds: float | None) -> str:
    return "never" if seconds is None else age_words(seconds)


def _row(*cells: Any) -> str:
    widths = (5, 7, 7, 12, 11, 8, 8, 8, 9, 0)
    return "".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


COMMAND = Command(
    run,
    "Prints for each step how often a bad version is found in it, how long it takes, and what it costs.\n\n"
    "The releases are simulated with the code that judges real ones.",
    "",
    (
        "serinus verdict plan --requests 200 --rate 0.01 --step 10:5m --step 50:10m",
        "serinus verdict plan --budget 0.02 --requests 200 --rate 0.01 --step 10:5m --svg plan.svg",
    ),
    flags=(
        Flag("requests", "Requests a minute of both versions together", default=None, parse=real(), required=True),
        Flag("rate", "Error rate of the stable version, such as 0.01", default=None, parse=real(), required=True),
        Flag("step", "A step, such as 10:5m; repeat it", default=(), metavar="WEIGHT:TIME"),
        Flag("ratio", "How many times more often the bad version fails", default=3.0),
        Flag("interval", "Time from one look to the next", default="30s", metavar="TIME"),
        Flag("seed", "Another one gives another simulation of the same release", default=1),
        Flag("svg", "Write the chances by time as a picture", metavar="FILE"),
        *SETTINGS,
    ),
)
