"""A machine inside this one: namespaces of processes and of mounts, which end with all that is in them.

The files are those of this machine. `/run`, `/var/log`, `/var/lib/kubelet` and `/var/lib/cni` are empty there, so that programs that
insist on these paths leave nothing behind. The kernel's settings that kubelet changes are copies there. The network is that of the
thread that starts it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

EMPTY = ("/run", "/var/log", "/var/lib/kubelet", "/var/lib/cni")
KERNEL = Path("/proc/sys")
SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
"""Of the whole machine's kernel: kubelet writes them when it starts."""
CGROUPS = Path("/sys/fs/cgroup")
END_SECONDS = 30


class Machine:
    """`init`: the program of its first process. It ends with `stop`, and when the process that started it ends."""

    def __init__(self, init: Path, name: str) -> None:
        self._init = init
        self.cgroup = f"/{name}"
        """The name of the control groups of its pods."""
        self.namespace = ""
        """The kernel's name for its namespace of processes, once it is started."""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        mounts = [f"mkdir -p {place} && mount -t tmpfs tmpfs {place}" for place in EMPTY]
        mounts.append("mkdir /run/kernel /run/netns")
        for setting in SETTINGS:
            place, copy = KERNEL / setting, f"/run/kernel/{setting.replace('/', '.')}"
            mounts.append(f"cat {place} > {copy} && mount --bind {copy} {place}")
        script = " && ".join([*mounts, "echo ready", f'exec "{self._init}" --stdin'])
        separate = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
        for group in self._groups():
            group.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            ["unshare", *separate, "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the machine did not start"
        self.namespace = namespace(self._first())

    def run(self, command: list[str], output: IO[bytes], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a program there."""
        return subprocess.Popen(
            [*self._enter(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )

    def ask(self, *command: str, environment: dict[str, str] | None = None) -> str:
        """The output of a command there. AssertionError with its errors if it fails."""
        done = subprocess.run(
            [*self._enter(), *command], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """The kernel ends every process there with the first one, and then every mount."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(END_SECONDS)
            if self._process.stdout is not None:
                self._process.stdout.close()
        for group in self._groups():
            for directory in sorted(group.rglob("*/"), key=lambda found: len(found.parts), reverse=True):
                directory.rmdir()
            group.rmdir()

    def left(self) -> list[str]:
        """What there is of it: processes and control groups. Nothing after `stop`."""
        groups = [str(group) for group in self._groups() if group.exists()]
        return [*groups, *(f"process {number}" for number in processes(self.namespace))]

    def _first(self) -> int:
        assert self._process is not None, "the machine is not started"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return int(children.split()[0])

    def _enter(self) -> list[str]:
        return ["nsenter", "--target", str(self._first()), "--mount", "--pid", "--wd=" + os.getcwd(), "--"]

    def _groups(self) -> list[Path]:
        """One for each hierarchy of control groups: there is one alone in version 2."""
        roots = [CGROUPS] if (CGROUPS / "cgroup.procs").exists() else [g.parent for g in CGROUPS.glob("*/cgroup.procs")]
        return [root / self.cgroup.removeprefix("/") for root in roots]


def namespace(process: int) -> str:
    """The kernel's name for the namespace of a process; empty when it has ended."""
    try:
        return os.readlink(f"/proc/{process}/ns/pid")
    except OSError:
        return ""


def processes(within: str) -> list[int]:
    """The processes of this namespace, by their numbers here."""
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [number for number in found if within and namespace(number) == within]
