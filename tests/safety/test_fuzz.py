"""Made-up input for some seconds, and that the driver finds the faults that it must find.

$SERINUS_FUZZ_SECONDS is for all areas together; without it each one has SECONDS. The seed is always the same
there, and in CI: so only the change affects the result. `make test-all` uses a new one, which it prints.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.safety import fuzz

ROOT = Path(fuzz.__file__).parents[2]
AREAS = sorted(file.stem.removeprefix("fuzz_") for file in fuzz.HERE.glob("fuzz_*.py"))
SECONDS = 1.0
"""Of CPU time for each area, in `make test`."""
TOTAL = float(os.environ.get(fuzz.SECONDS) or SECONDS * len(AREAS))

SAME = "1"


@pytest.mark.timeout(int(TOTAL) * 10 + 600)  # other load on the machine makes it longer
@pytest.mark.parametrize("area", AREAS)
def test_made_up_input_is_borne(area: str):
    command = [sys.executable, "-m", "tests.safety.fuzz", "--area", area, "--seconds", f"{TOTAL / len(AREAS):.1f}"]
    env = {fuzz.SEED: SAME, **os.environ} if fuzz.SECONDS not in os.environ else None
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def number(random: Random) -> int:
    return random.randrange(10)


def deep(_: int) -> None:
    deep(0)


def endless(_: int) -> None:
    while True:
        pass


def endless_in_c(_: int) -> None:
    sum(range(1 << 62))


def large(_: int) -> None:
    bytearray(2 * fuzz.MEMORY)


def killed(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def broken_later(_: int) -> None:
    raise KeyError("later")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (deep, "RecursionError"),
        (endless, "CPU time"),
        (endless_in_c, "SIGXCPU"),
        (large, "MemoryError"),
        (killed, "SIGKILL"),
        (broken_later, "later"),
    ],
)
def test_an_input_that_is_not_borne_is_named(run: object, said: str, capfd: pytest.CaptureFixture[str]):
    target = fuzz.Target("own.target", number, run, cpu=0.5)  # type: ignore[arg-type]
    assert fuzz.fuzz([target], seed=7, seconds=5, first=3, last=3) == 1
    told = capfd.readouterr().out
    assert "FAULT own.target #3" in told
    assert said in told
    assert "--seed 7 --target own.target --first 3 --last 3" in told


def test_the_report_of_a_fault_may_take_longer_than_the_input(capfd: pytest.CaptureFixture[str]):
    target = fuzz.Target("own.target", number, deep, cpu=0.005)  # its traceback takes more
    assert fuzz.fuzz([target], seed=7, seconds=5, first=3, last=3) == 1
    assert "FAULT own.target #3" in capfd.readouterr().out


def test_a_fault_of_the_driver_is_printed(capfd: pytest.CaptureFixture[str]):
    target = fuzz.Target("own.target", lambda _: 1 // 0, print)
    assert fuzz.fuzz([target], seed=7, seconds=5, last=3) == 1
    assert "ZeroDivisionError" in capfd.readouterr().out


def test_an_answer_that_is_expected_is_no_fault():
    target = fuzz.Target("own.answer", number, lambda one: [][one], answers=(IndexError,))
    assert fuzz.fuzz([target], seed=7, seconds=5, last=20) == 0


def test_an_input_follows_from_seed_target_and_number():
    target = fuzz.Target("own.target", lambda random: random.random(), print)
    assert fuzz.input_of(1, target, 2) == fuzz.input_of(1, target, 2)
    assert len({fuzz.input_of(seed, target, index) for seed in (1, 2) for index in (1, 2)}) == 4
