"""What sequential verdicts promise, by simulation: false aborts over 1,000 looks, bursts, how soon harm is found.

    bench_verdicts.py [--seed N] [--runs N] [--only false|bursts|found|cost]     seed 1, 400 runs of each setting

Prints a line of JSON for each measurement. Another seed gives other numbers of the same distribution.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import timeit
from collections.abc import Iterator
from random import Random
from statistics import NormalDist, median

from verdict_traffic import binomial, constant, in_bursts, ramp

from serinus.analysis.sequential.dispersion import Dispersion
from serinus.analysis.sequential.looks import Look
from serinus.analysis.sequential.process import RelativeProcess
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.analysis.sequential.tally import Tally

LOOKS = 1000
ALPHA = 0.05
LATER = 1.3
"""Times the z-test's plan by which harm should be found."""
RATES = (0.0001, 0.001, 0.01, 0.05, 0.2)
TRAFFIC = (5, 50, 500, 10_000)
WEIGHTS = (0.01, 0.05, 0.2, 0.5)


def first_harm(settings: VerdictSettings, looks: Iterator[Look]) -> int | None:
    """The number of the look that found harm, with the code that runs use."""
    tally = Tally(settings)
    return next((at for at, look in enumerate(looks, start=1) if tally.add(look).verdict == "harm"), None)


def ever_harm_at_one_weight(looks: Iterator[Look]) -> bool:
    """The same for one weight throughout and independent errors, a hundred times quicker.

    The evidence follows from the sums of the errors then, and is at most the likelihood ratio of the best explanation
    (two logarithms). Only where that reaches the limit is the evidence itself computed.
    """
    bad = other = 0.0
    limit = -math.log(ALPHA)
    for n_c, k_c, n_s, k_s in looks:
        if not k_c:
            other += k_s
            continue
        bad, other = bad + k_c, other + k_s
        both, weight = bad + other, n_c / (n_c + n_s)
        if bad <= both * weight:
            continue
        best = bad * math.log(bad / (both * weight))
        best += other * math.log(other / (both * (1 - weight))) if other else 0.0
        if best >= limit:
            process = RelativeProcess(1.0, harm=True)
            process.add(weight, bad, other)
            if process.log_evidence() >= limit:
                return True
    return False


def false_aborts(seed: int, runs: int) -> None:
    """A version like the stable one, with LOOKS looks: how often it is aborted."""
    worst = 0.0
    for rate in RATES:
        for requests in TRAFFIC:
            for weight in (*WEIGHTS, "ramp"):
                chance = Random(f"{seed} {rate} {requests} {weight}")
                if isinstance(weight, float):
                    canary = max(1, round(requests * weight))
                    draws = constant(canary, requests - canary, binomial, (rate, rate))
                    aborted = sum(ever_harm_at_one_weight(draws.looks(LOOKS, chance)) for _ in range(runs))
                else:
                    draws = ramp(max(20, requests), binomial, (rate, rate))
                    aborted = sum(
                        first_harm(VerdictSettings(), draws.looks(LOOKS, chance)) is not None for _ in range(runs)
                    )
                share = aborted / runs
                worst = max(worst, share)
                told = {"rate": rate, "requests": requests, "weight": weight, "aborted": round(share, 4)}
                print(json.dumps({"false aborts": told}), flush=True)
    print(json.dumps({"false aborts, highest of all settings": worst, "bound": ALPHA, "looks": LOOKS}), flush=True)


def bursts(seed: int, runs: int) -> None:
    """Errors in bursts, 60 looks, 20 and 180 requests, 1 %: without and after a calibration on 500 past looks."""
    for burst in (1, 3, 10):
        draws = constant(20, 180, lambda n, p, burst=burst: in_bursts(n, p, burst), (0.01, 0.01))
        chance = Random(f"{seed} bursts {burst}")
        raw = fresh = learnt = 0
        values: list[float] = []
        for _ in range(runs):
            past = Dispersion()
            for look in draws.looks(500, chance):
                past.add(look.stable_requests, look.stable_errors)
            values.append(past.estimate())
            looks = list(draws.looks(60, chance))
            raw += ever_harm_at_one_weight(iter(looks))
            fresh += first_harm(VerdictSettings(), iter(looks)) is not None
            learnt += first_harm(VerdictSettings(dispersion=values[-1]), iter(looks)) is not None
        shares = {"counts as they are": raw, "not calibrated": fresh, "calibrated": learnt}
        told = {name: round(count / runs, 4) for name, count in shares.items()}
        print(json.dumps({"bursts of": burst, "learnt dispersion": round(median(values), 2), **told}), flush=True)


def first_known(looks: list[Look], ratio: float) -> int | None:
    """The look at which Wald's likelihood ratio test for this one ratio finds harm: no sequential test is sooner in the mean."""
    total = 0.0
    for at, (n_c, k_c, n_s, k_s) in enumerate(looks, start=1):
        weight = n_c / (n_c + n_s)
        total += k_c * math.log(ratio) - (k_c + k_s) * math.log(1 - weight + ratio * weight)
        if total >= -math.log(ALPHA):
            return at
    return None


def found(seed: int, runs: int) -> None:
    """How soon a version with more errors is aborted, against one z-test at a time that is fixed before."""
    for n_c, n_s, rate, ratio in (
        (20, 180, 0.01, 3.0),
        (20, 180, 0.01, 10.0),
        (100, 100, 0.01, 2.0),
        (50, 950, 0.005, 3.0),
    ):
        draws = constant(n_c, n_s, binomial, (rate * ratio, rate))
        chance = Random(f"{seed} found {n_c} {n_s} {rate} {ratio}")
        most = 4 * fixed_plan(n_c, n_s, rate, ratio, 0.95)
        drawn = [list(draws.looks(most, chance)) for _ in range(runs)]
        times = sorted(first_harm(VerdictSettings(), iter(looks)) or most + 1 for looks in drawn)
        known = sorted(first_known(looks, ratio) or most + 1 for looks in drawn)
        within_60 = sum(at <= 60 for at in times) / runs
        told: dict[str, object] = {"requests": [n_c, n_s], "rate": rate, "ratio": ratio, "within 60 looks": within_60}
        planned = fixed_plan(n_c, n_s, rate, ratio, 0.95)
        told["z-test planned for 95 %"] = planned
        for part in (0.5, 0.8, 0.9, 0.95, 0.99):
            at, plan = times[math.ceil(part * runs) - 1], fixed_plan(n_c, n_s, rate, ratio, part)
            told[f"{part:.0%}"] = {
                "looks": at,
                "times the z-test planned for 95 %": round(at / planned, 2),
                "z-test planned for it": plan,
            }
        allowed = LATER * planned
        told["within 1.3 times the z-test planned for 95 %"] = round(sum(at <= allowed for at in times) / runs, 3)
        slowest = known[math.ceil(0.95 * runs) - 1]
        told["if the ratio were known"] = {
            "95%": {"looks": slowest, "times": round(slowest / planned, 2)},
            "within 1.3 times": round(sum(at <= allowed for at in known) / runs, 3),
        }
        told["mean looks"] = round(sum(times) / runs, 1)
        told["mean over the z-test planned for 95 %"] = round(sum(times) / runs / planned, 2)
        print(json.dumps({"found": told}), flush=True)


def fixed_plan(n_c: int, n_s: int, rate: float, ratio: float, power: float) -> int:
    """Looks after which a single one-sided z-test of two proportions at ALPHA finds the difference with this power."""
    normal, bad = NormalDist(), rate * ratio
    pooled = (n_c * bad + n_s * rate) / (n_c + n_s)
    null = math.sqrt(pooled * (1 - pooled) * (1 / n_c + 1 / n_s))
    true = math.sqrt(bad * (1 - bad) / n_c + rate * (1 - rate) / n_s)
    needed = (normal.inv_cdf(1 - ALPHA) * null + normal.inv_cdf(power) * true) / (bad - rate)
    return max(1, math.ceil(needed**2))


def cost() -> None:
    """Of one look: with the weight of the look before, with another one, and with a budget too."""
    for name, settings, looks in (
        ("same weight", VerdictSettings(), [Look(20, 1, 180, 2)]),
        ("other weight", VerdictSettings(), [Look(20, 1, 180, 2), Look(21, 1, 179, 2)]),
        (
            "with a budget and bursts",
            VerdictSettings(budget=0.01, dispersion=3.0),
            [Look(20, 1, 180, 2), Look(21, 1, 179, 2)],
        ),
    ):
        tally = Tally(settings)

        def once(tally: Tally = tally, looks: list[Look] = looks) -> None:
            for look in looks:
                tally.add(look)

        # Time of this process: other load of the machine does not count.
        seconds = min(timeit.repeat(once, timer=time.process_time, number=500, repeat=7)) / 500 / len(looks)
        print(json.dumps({"one look": name, "ms": round(seconds * 1000, 4)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--only", choices=("false", "bursts", "found", "cost"))
    given = parser.parse_args()
    parts = {"cost": cost, "found": lambda: found(given.seed, given.runs)}
    parts |= {"bursts": lambda: bursts(given.seed, given.runs), "false": lambda: false_aborts(given.seed, given.runs)}
    for name, part in parts.items():
        if given.only in (None, name):
            part()


if __name__ == "__main__":
    main()
