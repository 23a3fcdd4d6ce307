"""`version`: prints the version, the commit and its date."""

from __future__ import annotations

import platform
import sys

import serinus
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.flags import Flag

SHORT = "Show the version"


def run(call: Call) -> int:
    name = call.target.program.name.split()[0]
    # Scripts read the plugin's first line. Another program of this name has other versions.
    print(f"serinus: v{serinus.__version__}" if name == "serinus" else f"{name}: v{serinus.__version__}+serinus")
    if not call.truth("short"):
        from serinus.build_info import build_info

        build = build_info()
        for name, value in (
            ("BuildDate", build.date),
            ("GitCommit", build.commit),
            ("GitTreeState", build.tree),
            ("GoVersion", ""),
            ("Compiler", f"{platform.python_implementation()} {platform.python_version()}"),
            ("Platform", f"{sys.platform}/{platform.machine()}"),
        ):
            print(f"  {name}: {value}")
    return 0


COMMAND = Command(
    run,
    "Show the version of this program.",
    flags=(Flag("short", "Only the version, on one line", default=False),),
)
