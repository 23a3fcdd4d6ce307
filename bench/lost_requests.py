"""Requests through whole releases and takeovers on the real control plane, with a real Traefik: how many are lost.

    lost_requests.py [REQUESTS [RATE [NAME ...]]]      100,000 at 200 a second, and all scenarios, unless told otherwise

The scenarios of tests/support/cluster/requests_scenarios.py, one after another and again from the first, until so many requests
were sent; the last one is ended. Needs root, and Go for the first build. Prints a line for each on stderr, and one of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.support.cluster import requests_scenarios as scenarios
from tests.support.cluster.binary import NoBinary, binary
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.network import NoNetwork, own_network
from tests.support.cluster.requests_ledger import Bad, summary
from tests.support.cluster.requests_scenarios import Scenario
from tests.support.cluster.requests_scene import scene
from tests.support.cluster.requests_takeover import from_argo_rollouts_and_back
from tests.support.plays.recordings import RECORDINGS

REQUESTS, RATE = 100_000, 200.0
SCENARIOS: list[Scenario] = [
    *([from_argo_rollouts_and_back] if RECORDINGS.is_dir() else []),
    scenarios.canary_to_the_end,
    scenarios.canary_aborted_and_retried,
    scenarios.canary_undone,
    scenarios.blue_green,
    scenarios.from_a_deployment_on_success,
    scenarios.from_a_deployment_progressively,
    scenarios.pod_by_pod,
]


def measure(cluster: Cluster, requests: int, rate: float, chosen: list[Scenario], directory: Path) -> dict[str, Any]:
    """`slowest_follow_s`: the longest time in which the version before still answered after a Rollout was Healthy."""
    began, total, turns = time.monotonic(), 0, 0
    bad: list[Bad] = []
    times: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    followed: defaultdict[str, list[float]] = defaultdict(list)
    ended = ""
    while total < requests and not ended:
        run = chosen[turns % len(chosen)]
        turns += 1
        name = run.__name__
        with scene(cluster, name, directory / str(turns), rate) as asked:
            try:
                run(asked)
            except AssertionError as error:
                ended = f"{name}: after {asked.ledger.moments[-1:]}: {error}"
        count, found = asked.asking.traffic.total, asked.ledger.bad(list(asked.asking.traffic.answers))
        total, bad = total + count, bad + found
        times[name] += 1
        sent[name] += count
        followed[name] += asked.old_after_healthy
        said = {**summary(count, found), "old_after_healthy_s": asked.old_after_healthy}
        said["came_back"] = asked.came_back
        print(f"  {total}: {name} {json.dumps(said)} load {os.getloadavg()[0]:.0f}", file=sys.stderr, flush=True)
    whole = {**summary(total, bad), "seconds": round(time.monotonic() - began), "rate": rate}
    whole |= {"times": dict(times), "requests_of": dict(sent), "load": round(os.getloadavg()[0], 1)}
    whole["slowest_follow_s"] = {name: max(found, default=0.0) for name, found in followed.items()}
    return {**whole, "ended_early": ended} if ended else whole


def main() -> int:
    words = sys.argv[1:]
    try:
        requests = int(words[0].replace(",", "")) if words else REQUESTS
        rate = float(words[1]) if len(words) > 1 else RATE
    except ValueError:
        print(f"lost_requests.py: not a number: {' '.join(words[:2])!r}{__doc__}", file=sys.stderr)
        return 2
    chosen = [run for run in SCENARIOS if run.__name__ in words[2:]] if len(words) > 2 else SCENARIOS
    if not chosen:
        print(f"lost_requests.py: scenarios are {', '.join(run.__name__ for run in SCENARIOS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whatever ends it, the cluster ends with it
    try:
        program = binary()
        with tempfile.TemporaryDirectory(prefix="serinus-requests-") as directory, own_network():
            cluster = Cluster(ControlPlane(program, Path(directory)))
            try:
                cluster.start()
                found = measure(cluster, requests, rate, chosen, Path(directory) / "scenes")
            finally:
                if os.environ.get("SERINUS_LOGS"):
                    print(cluster.logs(), file=sys.stderr)
                cluster.stop()
    except (NoBinary, NoNetwork) as error:
        print(f"lost_requests.py: no control plane here: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found), flush=True)
    return 1 if found["lost"] or found["wrongly_answered"] or "ended_early" in found else 0


if __name__ == "__main__":
    sys.exit(main())
