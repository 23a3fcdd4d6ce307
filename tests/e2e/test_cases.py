"""Inputs from public bug reports, checked on a running instance with the real kubectl and through the real gateway.

tests/plays/test_virtual_cases.py has most of them in virtual time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.instance.engines import ENGINES
from tests.support.instance.live import BIN, Instance
from tests.support.plays.cases import CASES, LIVE_ONLY
from tests.support.plays.recordings import RECORDINGS

AT_ONCE = 6
"""Cases at the same time. Each has nine watches of kubectl beside its pods."""


def held(instance: Instance, files: list[Path], at_once: int) -> tuple[list[Path], str]:
    """(cases that do not hold, the program's output)."""
    command = [sys.executable, str(RECORDINGS / "cases.py"), "--kubeconfig", instance.status["kubeconfig"]]
    command += ["--bin", str(BIN), "--gateway", instance.status["gateway"], "--jobs", str(at_once)]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, timeout=1200, check=False)
    printed = done.stdout + done.stderr
    assert f" of {len(files)} cases hold" in printed, printed
    return [file for file in files if f"FAIL {file.stem}\n" in printed.replace(" \n", "\n")], printed


def wanted(instance: Instance) -> list[Path]:
    """On one engine all cases where all plays are selected, else those with questions that virtual time does not answer."""
    files = sorted(CASES.glob("*.yaml"))
    if os.environ.get("SERINUS_PLAYS") and (type(instance) is Instance or len(ENGINES) == 1):
        return files
    return [file for file in files if file.stem in LIVE_ONLY or "\n- curl:" in file.read_text()]


@pytest.mark.long
@pytest.mark.usefixtures("one_at_a_time")
def test_no_reported_fault_happens_here(instance: Instance):
    wrong, printed = held(instance, wanted(instance), AT_ONCE)
    assert len(wrong) <= 3, printed
    if wrong:  # a question may come too late while five others are played: alone it counts
        spaces = " ".join(f"namespace/case-{file.stem}"[:70] for file in wrong)
        instance.shell(f"kubectl wait --for=delete {spaces} --timeout=90s")
        still, again = held(instance, wrong, 1)
        assert not still, printed + again
