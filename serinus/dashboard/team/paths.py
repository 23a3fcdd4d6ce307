"""Paths of the dashboard that a sign-in may lead back to. Pure."""

from __future__ import annotations

import re

_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
LONGEST = 1000


def own_path(given: str, root: str) -> str:
    """`given` if it is a path of this dashboard, otherwise the dashboard's first page. `root`: such as `/rollouts`.

    Browsers read `//host`, `/\\host` and a path with a tab in it as the address of another server.
    """
    start = f"{root}/"
    safe = len(given) <= LONGEST and _PATH.fullmatch(given) and not given.startswith("//") and given.startswith(start)
    return given if safe and not given.startswith(f"{start}auth/") else start
