"""The API writes of a play: Serinus beside Argo Rollouts, as a table for docs/benchmarks.md.

Each of the 71 recorded plays runs in virtual time; tests/support/plays/writes.py defines how writes are counted.
"""

from __future__ import annotations

from tests.support.plays.controller_writes import abort_with_a_delay_of_30_seconds, without_kept_events
from tests.support.plays.player import played
from tests.support.plays.recordings import plays, reference
from tests.support.plays.writes import least_written


def main() -> None:
    print("| play | Argo Rollouts, at least | Serinus, same rule | Serinus, requests | of these Events |")
    print("|---|---|---|---|---|")
    sums = [0, 0, 0, 0]
    for name in plays():
        done = played(name)
        writes = without_kept_events(done.writes)
        events = sum(write.is_event for write in writes)
        row = [least_written(reference(name)).total(), least_written(done.trace).total(), len(writes), events]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        print(f"| {name} | {' | '.join(map(str, row))} |")
    print(f"| all | {' | '.join(f'{n:,}' for n in sums)} |")
    abort = abort_with_a_delay_of_30_seconds()
    events = sum(write.is_event for write in abort)
    print(f"\nAn abort with a scale-down delay of 30 s: {len(abort) - events} writes and {events} Events.")


if __name__ == "__main__":
    main()
