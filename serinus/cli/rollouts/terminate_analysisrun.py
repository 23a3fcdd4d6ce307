"""`terminate analysisrun`: ends a run before its time."""

from __future__ import annotations

from serinus.api.resources import ANALYSIS_RUNS
from serinus.cli.cluster.mutate import FLAGS, change
from serinus.cli.cluster.session import open_session
from serinus.cli.framework.commandline import Call, Command
from serinus.commands.actions import TERMINATE

SHORT = "Stop an AnalysisRun"
ALIASES = "ar analysisruns"


def run(call: Call) -> int:
    session = open_session(call)
    for name in call.args:
        if change(session, call, name, "terminate-analysisrun", TERMINATE, ANALYSIS_RUNS):
            print(f"analysisRun '{name}' terminated")
    return 0


COMMAND = Command(
    run,
    "End AnalysisRuns before their time.",
    "ANALYSISRUN...",
    ("kubectl argo rollouts terminate analysisrun guestbook-877894d5b-4-success-rate.1",),
    flags=FLAGS,
    least=1,
    most=None,
    completes="analysisruns",
)
