"""The limits of a sequential verdict, as a user writes them."""

from __future__ import annotations

import msgspec

LOWEST_BUDGET = 1e-9
"""One error in a billion requests: fewer look like none."""
RATIOS = (0.001, 1000.0)
"""Lowest and highest `tolerated` and `margin`."""
HIGHEST_DISPERSION = 1e6
HIGHEST_BUDGET = 0.9
"""Exclusive. The alternatives of a budget begin at 1.1 times it and end at a rate of 0.99."""


class SetupError(Exception):
    """Settings, counts or queries that prevent a verdict. `field`: the position in the configuration or in a look."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class VerdictSettings(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`false_abort`: highest probability to abort a version within its limits. `false_pass`: highest probability of the
    verdict safe for a version whose errors reach `margin` times the stable version's.

    `tolerated`: the highest acceptable ratio of error rates (canary over stable). `budget`: an acceptable absolute
    error rate, None for none. `dispersion`: variance over mean of the errors per look, from the past of the service, 1
    for independent errors.
    """

    false_abort: float = 0.05
    false_pass: float = 0.05
    tolerated: float = 1.0
    margin: float = 1.5
    budget: float | None = None
    dispersion: float = 1.0


def checked(settings: VerdictSettings) -> VerdictSettings:
    """The same settings. SetupError names the field that prevents a verdict."""
    for field, value in (("falseAbort", settings.false_abort), ("falsePass", settings.false_pass)):
        if not 0 < value < 1:
            raise SetupError(
                field,
                f"{value:g} is no probability between 0 and 1, both excluded: 0 would never decide and 1 would decide "
                "without evidence. Use 0.05 for one error in twenty",
            )
    for field, value in (("tolerated", settings.tolerated), ("margin", settings.margin)):
        if not RATIOS[0] <= value <= RATIOS[1]:
            raise SetupError(
                field,
                f"{value:g} is no ratio of error rates between {RATIOS[0]:g} and {RATIOS[1]:g}: use a number such as 1.5 for "
                "half as many more",
            )
    if settings.margin <= settings.tolerated:
        raise SetupError(
            "margin",
            f"{settings.margin:g} is not above tolerated ({settings.tolerated:g}): one version could be both harmful "
            "and safe. Raise margin or lower tolerated",
        )
    budget = settings.budget
    if budget is not None and not LOWEST_BUDGET <= budget < HIGHEST_BUDGET:
        raise SetupError(
            "budget",
            f"{budget:g} is no error rate between 0 and {HIGHEST_BUDGET:g}, both excluded: a budget of 0 is exceeded by "
            "the first error and one of 1 by none. Use 0.01 for one error in a hundred requests",
        )
    if not 1 <= settings.dispersion <= HIGHEST_DISPERSION:
        raise SetupError(
            "dispersion",
            f"{settings.dispersion:g} is no variance over mean between 1 and {HIGHEST_DISPERSION:g}: 1 stands for independent "
            "errors, 3 for errors in bursts of three. `serinus verdict calibrate` measures it",
        )
    return settings
