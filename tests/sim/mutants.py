"""Bugs, put into the engine and the controller one at a time: the simulation has to catch each of them.

`python -m tests.sim.mutants [--seeds N] [--only NAME]` runs histories with each until a promise breaks. A mutant replaces
functions where they are used; nothing is written to disk.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from serinus.engine import planner
from tests.sim.bugs import Mutant
from tests.sim.generate import generate
from tests.sim.run import run
from tests.sim.verdict_bugs import ALL
from tests.sim.watchdog import Violation
from tests.sim.world import Planner

MOST = 2000
"""Seeds within which each has to be caught."""


@contextmanager
def applied(one: Mutant) -> Generator[Planner]:
    """The planner with the bug, for the length of a block."""
    with ExitStack() as stack:
        for owner, name, instead in one.places():
            assert hasattr(owner, name), f"{one.name}: {owner} has no {name} any more"
            stack.enter_context(patch.object(owner, name, instead))
        yield planner.plan


def caught(one: Mutant, seeds: Iterable[int]) -> tuple[int, Violation] | None:
    """The first of the seeds that catches it, and how; None when none does."""
    with applied(one) as plan:
        for seed in seeds:
            history = generate(seed)
            if one.judges and not history.templates:
                continue
            violations = run(history, plan=plan).violations
            if violations:
                return seed, violations[0]
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=MOST, help="seeds that are tried for each")
    names = [one.name for one in ALL]
    parser.add_argument("--only", choices=names, metavar="NAME", help=f"the one mutant to try: {', '.join(names)}")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    gc.set_threshold(100_000, 20, 20)
    missed: list[str] = []
    tried = [one for one in ALL if options.only in (None, one.name)]
    for one in tried:
        found = caught(one, range(options.seeds))
        if found is None:
            missed.append(one.name)
            print(f"{one.name}: NOT CAUGHT: {one.bug}", flush=True)
        else:
            print(f"{one.name}: seed {found[0]}: {found[1]}", flush=True)
    print(json.dumps({"mutants": len(tried), "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
