"""`python -m tests.sim --seeds N [--start S] [--json]`: runs histories; the last line is JSON."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import time
from collections import Counter

from tests.sim.generate import generate
from tests.sim.history import History
from tests.sim.route_inputs import WAYS, routed
from tests.sim.run import run
from tests.sim.shrink import shrink

SHOWN = 30
"""Broken histories that get a line."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--json", action="store_true", help="print the line of JSON only")
    parser.add_argument("--no-shrink", action="store_true", help="show broken histories as they were generated")
    parser.add_argument("--most", type=int, default=3, help="broken histories that are shown in full")
    parser.add_argument(
        "--routers", action="store_true", help="histories with all routers, and what only some of them carry"
    )
    parser.add_argument("--router", default="", help="with --routers: this one")
    parser.add_argument("--with", dest="more", default="", choices=("", *WAYS), help="with --routers: this input")
    options = parser.parse_args()

    def made(seed: int) -> History | None:
        return routed(seed, options.router, options.more) if options.routers else generate(seed)

    logging.disable(logging.CRITICAL)
    gc.set_threshold(100_000, 20, 20)  # a history leaves little behind: continuous garbage collection costs more
    totals: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    broken: list[int] = []
    ran = 0
    began, used = time.perf_counter(), time.process_time()
    for seed in range(options.start, options.start + options.seeds):
        history = made(seed)
        if history is None:
            continue
        ran += 1
        result = run(history)
        totals += Counter(events=result.events, faults=result.faults, plans=result.plans)
        struck += Counter(result.struck)
        if result.violations:
            broken.append(seed)
            if not options.json and len(broken) <= SHOWN:
                print(f"seed {seed}: {result.violations[0]}", flush=True)
    seconds, busy = time.perf_counter() - began, time.process_time() - used
    if not options.json and not options.no_shrink:
        for seed in broken[: options.most]:
            history = made(seed)
            assert history is not None
            history, violation = shrink(history)
            print(f"\nseed {seed}, shrunk: {violation}\n{history.dump()}", flush=True)
    summary = {
        "histories": ran,
        "events": totals["events"],
        "faults": totals["faults"],
        "violations": len(broken),
        "histories_per_second": round(ran / busy, 1),
        "seconds": round(seconds, 1),
        "plans": totals["plans"],
        "struck": dict(sorted(struck.items())),
        "seeds": broken[:50],
    }
    print(json.dumps(summary))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
