"""Promises about sequential verdicts, as in `verdict_promises.py`, and the count of what they decided.

no request counts twice · a verdict follows from the stored looks · the run ends as the verdict says
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from serinus.analysis.phases import COMPLETED
from serinus.analysis.sequential.looks import restored
from serinus.analysis.sequential.metric import PLUGIN
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.tally import verdicts
from serinus.api.names import HASH
from tests.sim.counters import Counters
from tests.sim.ledger import phase_of
from tests.sim.monitoring import args_of
from tests.sim.store import Change, Json
from tests.sim.watchdog import Watchdog

CLOSE = 1e-6
MARGIN = 1.5
"""The default."""
SPLIT = "of all requests and its weight is"
"""Part of the sentence about requests that do not split by the weight."""


@dataclass(frozen=True)
class Judged:
    """A finished run. `good`: within all limits. `bad`: at `margin` or worse, and above `budget` where there is one."""

    version: str
    good: bool
    bad: bool
    word: str
    phase: str
    cut_short: bool


class Jury:
    """`judged`: by name of the run. Reads the truth from the error rates when a run begins."""

    def __init__(self, monitoring: Counters) -> None:
        self.monitoring = monitoring
        self.judged: dict[str, Judged] = {}
        self.began: dict[str, float] = {}

    def heard(self, dog: Watchdog, change: Change) -> Iterator[str]:
        """The promises about one write of an AnalysisRun."""
        run = change.new
        if change.plural != "analysisruns" or run is None:
            return
        self.began.setdefault(change.name, dog.world.loop.at)
        for metric in run["spec"]["metrics"]:
            found = _last(run, metric["name"])
            if found and PLUGIN in metric["provider"].get("plugin", {}) and found.get("value"):
                yield from self._one(change, run, metric, found)

    def _one(self, change: Change, run: Json, metric: Json, last: Json) -> Iterator[str]:
        config: Json = metric["provider"]["plugin"][PLUGIN]
        value, metadata = json.loads(last["value"]), last["metadata"]
        looks = restored(metadata["looks"])
        args, since = args_of(run), self.began[change.name] - float(metric["interval"].rstrip("s")) - 1.0
        for side in ("canary", "stable"):
            found = value["requests"][side], value["errors"][side]
            most = self.monitoring.most(args[side], since)
            if side in config["counts"] and (found[0] > most[0] or found[1] > most[1]):
                yield f"{change.name} counts {found} of the {side} version, and there were {most}"
        again = list(verdicts(msgspec.json.decode(metadata["settings"], type=VerdictSettings), looks))
        if again and abs(again[-1].log_harm - value["logHarm"]) > CLOSE:
            yield f"{change.name}: the stored looks give {again[-1].log_harm}, and the value is {value['logHarm']}"
        phase = phase_of(run)
        if phase in COMPLETED and change.name not in self.judged:
            expected = {"harm": ("Failed",), "safe": ("Successful",)}.get(value["verdict"], COMPLETED - {"Failed"})
            cut = bool(run["spec"].get("terminate"))
            if last["phase"] in COMPLETED and phase not in expected and not cut and phase != "Error":
                yield f"{change.name} is {phase}, and its verdict {value['verdict']}"
            word = "wrong split" if SPLIT in last.get("message", "") else value["verdict"]
            self._judge(change.name, run, config, word, phase, cut_short=cut)

    def _judge(self, name: str, run: Json, config: Json, word: str, phase: str, *, cut_short: bool) -> None:
        args, budget = args_of(run), config.get("budget")
        rate, other = self.monitoring.rate_of(args["canary"]), self.monitoring.rate_of(args["stable"])
        compares = "stable" in config["counts"]
        good = (not compares or rate <= other) and (budget is None or rate <= budget)
        bad = (not compares or rate >= MARGIN * other) and (budget is None or rate > budget)
        self.judged[name] = Judged(run["metadata"]["labels"].get(HASH, ""), good, bad, word, phase, cut_short)

    def counts(self) -> Counter[str]:
        """Runs by truth and verdict."""
        found: Counter[str] = Counter()
        for one in self.judged.values():
            truth = "good" if one.good else "bad" if one.bad else "between"
            how = "cut short" if one.cut_short else f"undecided {one.phase}"
            found[f"{truth} {how if one.word == 'undecided' else one.word}"] += 1
        return found


def _last(run: Json, metric: str) -> Json:
    for result in (run.get("status") or {}).get("metricResults", []):
        if result["name"] == metric and result.get("measurements"):
            return result["measurements"][-1]
    return {}
