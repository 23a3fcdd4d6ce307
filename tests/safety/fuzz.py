"""Gives made-up input to code that receives input from outside, and reports each input that it cannot handle.

`python -m tests.safety.fuzz --seed N --seconds S` runs all targets; without a seed it takes any, and prints it. A fault is printed
with the command that repeats it. Each file `fuzz_*.py` beside this one has a list `TARGETS`; a new file needs no registration.

An input is a function of the seed, the target's name and its number. Each one has limits of its own: CPU time, so that other load on
the machine does not count, and memory. The inputs run in a child process: one that kills the process is named as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import inspect
import mmap
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

SEED, SECONDS = "SERINUS_FUZZ_SEED", "SERINUS_FUZZ_SECONDS"
DEFAULT_SECONDS = 20.0
"""For the targets of one file."""

CPU = 5.0
"""Seconds of CPU time for one input: many times the need of any, so that a slow machine fails nothing."""

MEMORY = 1 << 30
"""Bytes of address space allowed beside that of the idle process."""

HARD = 3
"""Times its CPU time, after which the kernel ends an input: code in C does not check Python's signals."""

MOST_FAULTS = 20
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Target:
    """`run(make(random))` must return, or raise one of `answers`. `run` may be a coroutine function; all of them share a loop.

    `name` is unique: `<file without fuzz_>.<what>`. `cpu`: seconds for one input.
    """

    name: str
    make: Callable[[Random], Any]
    run: Callable[[Any], Any]
    answers: tuple[type[Exception], ...] = ()
    cpu: float = CPU


@dataclass(slots=True)
class _Count:
    """The inputs of a target. Seconds are of CPU time, including those of making the inputs."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_index: int = 0


@dataclass(slots=True)
class _Run:
    seed: int
    targets: Sequence[Target]
    position: mmap.mmap
    counts: dict[str, _Count] = field(default_factory=dict[str, _Count])
    faults: dict[str, str] = field(default_factory=dict[str, str])
    """By the text that identifies a fault."""


class _TooSlow(BaseException):
    """Not an Exception: the tested code may catch those."""


def areas() -> dict[str, list[Target]]:
    """The targets of each file."""
    names = sorted(file.stem for file in HERE.glob("fuzz_*.py"))
    found = {name.removeprefix("fuzz_"): importlib.import_module(f"tests.safety.{name}").TARGETS for name in names}
    every = [target.name for targets in found.values() for target in targets]
    assert len(every) == len(set(every)), "names of targets are unique"
    return found


def input_of(seed: int, target: Target, index: int) -> Any:
    """The input of this number; the same on each machine."""
    return target.make(Random(f"{seed}:{target.name}:{index}"))


def fuzz(targets: Sequence[Target], *, seed: int, seconds: float, first: int = 0, last: int | None = None) -> int:
    """Runs inputs from `first` on, to `last` or until `seconds` of CPU time are over. Returns 0, or 1 after a fault, which is printed."""
    print(f"fuzz: seed {seed}, {seconds:g} s", flush=True)
    position = mmap.mmap(-1, 256)
    gc.freeze()  # the child would copy the pages of each object that its garbage collector visits, on the CPU time of an input
    child = os.fork()
    if not child:
        code = 1
        try:
            code = _work(_Run(seed, targets, position), seconds, first, last)
        except BaseException:  # of the driver itself
            traceback.print_exc(file=sys.stdout)
        finally:
            sys.stdout.flush()
            os._exit(code)
    gc.unfreeze()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name, _, index = position[:].rstrip(b"\0").decode().rpartition(" ")
        killed = signal.Signals(os.WTERMSIG(status)).name
        print(f"FAULT {name} #{index}: the process ended with {killed}\n{_command(seed, name, int(index or 0))}")
        return 1
    return os.WEXITSTATUS(status)


def _work(run: _Run, seconds: float, first: int, last: int | None) -> int:
    signal.signal(signal.SIGPROF, _too_slow)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    run.counts = {target.name: _Count() for target in run.targets}
    left = list(run.targets)
    began = time.process_time()
    with asyncio.Runner() as loop:
        while left and time.process_time() - began < seconds and len(run.faults) < MOST_FAULTS:
            target = min(left, key=lambda one: run.counts[one.name].seconds)
            index = first + run.counts[target.name].inputs
            if last is not None and index > last:
                left.remove(target)
            else:
                _one(run, target, index, loop)
    for name, count in run.counts.items():
        print(f"  {name}: {count.inputs} inputs, slowest {count.slowest:.2f} s (#{count.slowest_index})")
    for text in run.faults.values():
        print(text)
    return 1 if run.faults else 0


def _one(run: _Run, target: Target, index: int, loop: asyncio.Runner) -> None:
    where = f"{target.name} {index}".encode()
    run.position[:] = where.ljust(256, b"\0")
    count, began = run.counts[target.name], time.process_time()
    _limit_cpu(began, target)
    made = input_of(run.seed, target, index)
    ready = time.process_time()
    _limit_cpu(ready, target)
    fault: BaseException | None = None
    try:
        _limited(target, made, loop)
    except target.answers:
        pass
    except (_TooSlow, Exception) as error:
        fault = error
    ended = time.process_time()
    count.inputs += 1
    count.seconds += ended - began
    if ended - ready > count.slowest:
        count.slowest, count.slowest_index = ended - ready, index
    if fault is None and ended - ready > target.cpu:  # a call in C, which no signal interrupts
        fault = _TooSlow(f"{ended - ready:.1f} s of CPU time")
    if fault is not None:
        _note(run, target, index, fault)


def _limited(target: Target, made: Any, loop: asyncio.Runner) -> None:
    """Raises _TooSlow here alone: the driver's own work after a fault does not count, and nothing interrupts it."""
    try:
        signal.setitimer(signal.ITIMER_PROF, target.cpu)
        answer = target.run(made)
        if inspect.isawaitable(answer):
            loop.run(_awaited(answer))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _limit_cpu(now: float, target: Target) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (int(now + HARD * target.cpu) + 1, resource.RLIM_INFINITY))


def _note(run: _Run, target: Target, index: int, error: BaseException) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/serinus/" in frame.filename] or frames
    place = f"{ours[-1].filename}:{ours[-1].lineno}" if ours else ""
    what = f"{target.name} {type(error).__name__} {place}"
    if what not in run.faults:
        shown = "".join(traceback.format_tb(error.__traceback__)[-12:])
        words = f"{type(error).__name__}: {str(error)[:500]}"
        run.faults[what] = f"FAULT {target.name} #{index}: {words}\n{shown}{_command(run.seed, target.name, index)}"


def _command(seed: int, name: str, index: int) -> str:
    return f"repeat: python -m tests.safety.fuzz --seed {seed} --target {name} --first {index} --last {index}"


def _too_slow(*_: object) -> None:
    raise _TooSlow("the input takes more than its CPU time")


async def _awaited(answer: Any) -> None:
    await answer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Give made-up input to what meets input from outside.")
    parser.add_argument("--seed", type=int, default=os.environ.get(SEED) or SystemRandom().randrange(1 << 32))
    seconds = os.environ.get(SECONDS)
    parser.add_argument("--seconds", type=float, help="of CPU time, for the targets of all files that are chosen")
    parser.add_argument("--area", help="only the targets of one file: `controller` is fuzz_controller.py")
    parser.add_argument("--target", help="only this one")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each target")
    parser.add_argument("--last", type=int, help="number of the last one")
    given = parser.parse_args(arguments)
    chosen = [one for area, found in areas().items() if given.area in (None, area) for one in found]
    if given.target is not None:
        chosen = [target for target in chosen if target.name == given.target]
    if not chosen:
        parser.error("no such target: " + ", ".join(t.name for found in areas().values() for t in found))
    given.seconds = given.seconds or float(seconds or DEFAULT_SECONDS)
    return fuzz(chosen, seed=given.seed, seconds=given.seconds, first=given.first, last=given.last)


if __name__ == "__main__":
    sys.exit(main())
