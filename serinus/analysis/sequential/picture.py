"""A plan as an SVG: the chance to have found harm over time, one line for each step, for light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from serinus.analysis.sequential.planning import Times

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 60, 48, 190, 46
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Distinguishable with any colour vision (Okabe and Ito)."""
DASHES = ("", "8 4", "2 4", "10 4 2 4")


def picture(title: str, lines: Sequence[tuple[str, Times]]) -> str:
    """`lines`: a name and the times until harm was found."""
    ends = [one for _, times in lines for one in times.seconds if isfinite(one)]
    longest = max(ends, default=60.0) / 60 * 1.05
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(minutes: float, part: float) -> str:
        return f"{LEFT + width * min(minutes / longest, 1):.1f},{TOP + height * (1 - part):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="12"><title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="14">{escape(title)}</text>',
    ]
    for part in (0, 0.25, 0.5, 0.75, 1):
        y = TOP + height * (1 - part)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{part:.0%}</text>')
    for tick in range(5):
        x, minutes = LEFT + width * tick / 4, longest * tick / 4
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{minutes:.3g}</text>')
    parts.append(f'<text x="{LEFT + width / 2}" y="{HEIGHT - 8}" text-anchor="middle">minutes in the step</text>')
    for place, (name, times) in enumerate(lines):
        color, dash = COLORS[place % len(COLORS)], DASHES[place % len(DASHES)]
        points = [at(0, 0)]
        for count, seconds in enumerate(times.seconds, start=1):
            if isfinite(seconds):
                points.append(at(seconds / 60, count / len(times.seconds)))
        points.append(at(longest, times.within(longest * 60)))
        style = f'fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"'
        y = TOP + 18 * place + 6
        parts.append(f'<polyline points="{" ".join(points)}" {style}/>')
        parts.append(f'<line x1="{LEFT + width + 12}" x2="{LEFT + width + 40}" y1="{y}" y2="{y}" {style}/>')
        parts.append(f'<text x="{LEFT + width + 46}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
