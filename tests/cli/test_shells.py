"""Completion in the shells themselves: each typed line with a Tab is executed. Shells that are not installed are skipped."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli.cli_cluster import Space, rollout
from tests.support.long import few

BIN = Path(sys.executable).parent
SECONDS = 30


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def environment(space: Space) -> dict[str, str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "KUBECONFIG": str(space.cluster.kubeconfig), "TERM": "dumb", "PS1": "$ "}


class Terminal:
    """A shell in a terminal, as for a user who types."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.seen = ""
        self._pid, self._line = pty.fork()
        if self._pid == 0:
            os.execvpe(command[0], command, env)

    def type(self, keys: str) -> None:
        os.write(self._line, keys.encode())

    def wait(self, text: str) -> None:
        """Wait until the shell has shown `text`, which the typed text does not contain."""
        until = time.monotonic() + SECONDS
        while text not in self.seen:
            ready, _, _ = select.select([self._line], [], [], max(0, until - time.monotonic()))
            assert ready, f"{text!r} was not shown: {self.seen[-2000:]}"
            self.seen += os.read(self._line, 65536).decode(errors="replace")

    def end(self) -> None:
        os.write(self._line, b"\x03exit\n")
        os.close(self._line)
        os.waitpid(self._pid, 0)


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <({program} completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -D -u; source <({program} completion zsh)"),
}


@pytest.mark.parametrize("program", few(["kubectl-argo-rollouts", "serinus rollouts"], ["kubectl-argo-rollouts"]))
@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in SHELLS])
def test_a_tab_completes_commands_flags_namespaces_and_live_names(space: Space, shell: str, program: str) -> None:
    """Each Tab leaves one candidate: the resulting command finds the Rollout."""
    space.put(rollout("checkout", status={"phase": "Paused", "message": "all words were found"}))
    command, setup = SHELLS[shell]
    terminal = Terminal(command, environment(space))
    try:
        terminal.type(setup.format(program=program.split()[0]) + "; echo set-''up\n")
        terminal.wait("set-up")
        terminal.type(f"{program} -n {space.name} stat\tche\t--watch=false --exit-\tdetailed\n")
        terminal.wait("Paused - all words were found")
        terminal.type(f"{program} lis\trollouts --namespace={space.name[:-1]}\t-o\tname; echo 'li''sted'\n")
        terminal.wait("listed")
        assert "rollout.argoproj.io/checkout" in terminal.seen
        terminal.type(f"{program} -n {space.name} set image checkout \tweb:2\n")
        terminal.wait('rollout "checkout" image updated')
    finally:
        terminal.end()


@needs("fish")
@pytest.mark.parametrize("program", ["kubectl-argo-rollouts", "serinus"])
def test_fish_gets_the_same(space: Space, program: str) -> None:
    space.put(rollout("checkout"))
    script = (
        f"{program} completion fish | source; complete -C '{program} promote -n {space.name} che'; "
        f"complete -C '{program} prom'; complete -C '{program} lint -f {Path(__file__).parent}/test_she'"
    )
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=60, env=environment(space)
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "checkout\tHealthy"
    assert lines[1].startswith("promote\tPromote a rollout")
    assert lines[2].endswith("test_shells.py")


@needs(str(BIN / "kubectl"))
def test_kubectl_offers_our_names_as_its_own(space: Space) -> None:
    space.put(rollout("checkout"))
    command = [str(BIN / "kubectl"), "__complete", "argo", "rollouts", "promote", "-n", space.name, "che"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(space), check=True)
    assert done.stdout == "checkout\tHealthy\n:4\n"
