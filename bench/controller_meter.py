"""The cost of a running controller process: CPU and memory from /proc, API calls from its own metrics."""

from __future__ import annotations

import http.client
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_REQUEST = re.compile(r"controller_clientset_k8s_request_total\{([^}]*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_DEPTH = re.compile(r"^workqueue_depth\{[^}]*\} (\S+)", re.M)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Meter:
    """`port`: where it serves /metrics."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds of CPU since it started."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self, what: str = "VmHWM") -> float:
        """MB: the peak (VmHWM) or now (VmRSS), of resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def calls(self) -> Counter[str]:
        """API calls by "Verb Kind", since it started."""
        found: Counter[str] = Counter()
        for labels, number in _REQUEST.findall(self._metrics()):
            said = dict(_LABEL.findall(labels))
            found[f"{said['verb']} {said['kind']}"] += int(float(number))
        return found

    def waiting(self) -> int:
        """Rollouts in the queue."""
        found = _DEPTH.search(self._metrics())
        return int(float(found[1])) if found else 0

    def _metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def writes(calls: Counter[str]) -> Counter[str]:
    """Write requests, except those of the lease and of Events."""
    return Counter(
        {
            what: number
            for what, number in calls.items()
            if what.split()[0] in ("Post", "Put", "Patch", "Delete") and what.split()[1] not in ("Lease", "Event")
        }
    )
