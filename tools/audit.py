"""Asks OSV (https://osv.dev) whether the packages of the lock files have known vulnerabilities: `make audit`.

Exit code 0: none is known, or the service does not answer here, which one sentence says. 1: one line for each that is known.
Nothing is sent but names and versions of public packages.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = tuple(f"requirements{group}.lock" for group in ("", "-demo", "-dev", "-docs", "-release"))
SERVICE = "https://api.osv.dev"
SECONDS = 10.0
"""For the answer; a run without a network must not wait for long."""
MOST = 16 << 20

ACCEPTED: Mapping[str, str] = {}
"""Identifier of a vulnerability -> why it does not concern Serinus."""

Package = tuple[str, str]
"""(name, version)"""


class NoService(Exception):
    """Why nothing can be queried here."""


def packages(locks: Sequence[str]) -> list[Package]:
    """All that the texts of lock files pin, each once, in order."""
    found = (re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.M) for text in locks)
    return sorted({(name.lower(), version) for pairs in found for name, version in pairs})


def question(asked: Sequence[Package]) -> dict[str, Any]:
    """Of OSV's API: https://google.github.io/osv.dev/post-v1-querybatch/."""
    return {"queries": [{"package": {"name": n, "ecosystem": "PyPI"}, "version": v} for n, v in asked]}


def known(asked: Sequence[Package], answer: Any) -> list[tuple[Package, str]]:
    """(package, identifier) of each vulnerability but the accepted ones. NoService for an answer that is none."""
    try:
        results = answer["results"]
        if len(results) != len(asked):
            raise NoService("its answer is about other packages")
        found = [
            (package, str(v["id"])) for package, r in zip(asked, results, strict=True) for v in r.get("vulns") or []
        ]
    except (KeyError, TypeError, AttributeError):
        raise NoService("its answer is none of OSV") from None
    return [(package, name) for package, name in found if name not in ACCEPTED]


def ask(service: str, body: Any) -> Any:
    """Query the service. Raises NoService if it does not answer."""
    request = urllib.request.Request(
        f"{service}/v1/querybatch", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.loads(answer.read(MOST))
    except urllib.error.HTTPError as error:
        raise NoService(f"it answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise NoService(str(getattr(error, "reason", error))) from None


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", default=SERVICE, metavar="URL")
    service = parser.parse_args(arguments).service
    asked = packages([(ROOT / lock).read_text() for lock in LOCKS])
    try:
        found = known(asked, ask(service, question(asked)))
    except NoService as why:
        print(f"audit: skipped, {service} does not answer here: {why}")
        return 0
    for (name, version), identifier in found:
        print(f"audit: {name} {version} has {identifier}: https://osv.dev/vulnerability/{identifier}")
    if not found:
        print(f"audit: no vulnerability is known of the {len(asked)} packages of {' and '.join(LOCKS)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
