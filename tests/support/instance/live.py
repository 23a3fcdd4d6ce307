"""A whole instance of Serinus as a user starts it: real processes, real ports, in a directory of its own."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import serinus.demo

BIN = Path(sys.executable).parent
WALKTHROUGH = Path(serinus.demo.__file__).with_name("manifests")
"""The manifests of a user's walkthrough, which the demo ships."""
REPOSITORY = Path(__file__).parents[3]


class Instance:
    """`up` in the background; `kubectl`, `serinus` and requests against it."""

    def __init__(self, data: Path, *flags: str) -> None:
        """`flags`: of each start of `serinus up`."""
        self.data = data
        self.ports = ["--port", "0", "--api-port", "0", *flags]
        self.namespace = "default"

    def serinus(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run([str(BIN / "serinus"), *arguments, "--data", str(self.data)], check=check)

    def up(self) -> None:
        self.serinus("up", "-d", *self.ports)
        self.status = json.loads(self.serinus("status", "-o", "json").stdout)
        assert self.status["ready"], self.status

    def down(self) -> None:
        self.serinus("down", check=False)

    def environment(self) -> dict[str, str]:
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "KUBECONFIG": self.status["kubeconfig"], "PATH": path}

    def shell(self, command: str, cwd: Path | None = None, *, check: bool = True) -> str:
        """The output of a command typed in a shell."""
        done = run(["bash", "-c", command], env=self.environment(), cwd=cwd, check=check)
        return done.stdout + ("" if check else done.stderr)

    def ask(self, host: str, path: str = "/color", headers: dict[str, str] | None = None) -> tuple[int, str]:
        """The output of curl with this host name; a new connection each time, as with curl."""
        address = urlsplit(self.status["gateway"])
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def colors(self, host: str, count: int, headers: dict[str, str] | None = None) -> list[str]:
        answers = [self.ask(host, headers=headers) for _ in range(count)]
        assert {status for status, _ in answers} == {200}
        return [json.loads(body) for _, body in answers]

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return json.loads(self.shell(f"kubectl get {kind} {name} -o json"))

    def logs(self) -> str:
        found = [f"== {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in sorted((self.data / "log").glob("*"))]
        return "\n".join(found)


def run(command: list[str], *, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    if check and done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def eventually(holds: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of `holds`; fails with its last one after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := holds()):
        if time.monotonic() > end:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(0.05)
    return value


@contextmanager
def running(instance: Instance) -> Generator[Instance]:
    """It is up for as long as the block lasts. Its logs are part of the report of a failed test."""
    try:
        instance.up()
        yield instance
    finally:
        print(instance.logs())
        instance.down()
