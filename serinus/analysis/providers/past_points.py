"""Points of a range query by the look that would have counted them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def points_by_look(
    points: Iterable[tuple[float, float]], times: Sequence[float], step: float
) -> dict[float, list[float]]:
    """The values of the points whose interval begins in the `step` seconds before each time, in the order of the points.

    `points`: (seconds since the epoch at which its interval begins, value). `times`: `step` seconds apart. A time without
    points is left out.
    """
    by_time: dict[float, list[float]] = {}
    for began, value in points:
        place = int((began - times[0] + step) // step)
        if 0 <= place < len(times):
            by_time.setdefault(times[place], []).append(value)
    return by_time
