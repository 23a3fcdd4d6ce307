"""The flags of `serinus verdict` and its commands that are the settings of a verdict."""

from __future__ import annotations

from serinus.analysis.sequential.settings import SetupError, VerdictSettings, checked
from serinus.cli.framework.commandline import Call
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag, real

SETTINGS = (
    Flag("false-abort", "Highest probability to abort a good version", default=0.05),
    Flag("false-pass", "Highest probability to call a bad version safe", default=0.05),
    Flag("tolerated", "Ratio of error rates up to which nothing is wrong", default=1.0),
    Flag("margin", "Ratio of error rates that is never safe", default=1.5),
    Flag("budget", "Error rate that is allowed, whatever the stable version's is", default=None, parse=real()),
    Flag("dispersion", "Variance over mean of errors per look, if known", default=1.0),
)


def settings_of(call: Call) -> VerdictSettings:
    """The settings, checked. Problem names the flag."""
    settings = VerdictSettings(
        call.real("false-abort"),
        call.real("false-pass"),
        call.real("tolerated"),
        call.real("margin"),
        call.value("budget"),
        call.real("dispersion"),
    )
    try:
        return checked(settings)
    except SetupError as error:
        flag = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in error.field)
        raise Problem(f"--{flag}{str(error).removeprefix(error.field)}") from None
