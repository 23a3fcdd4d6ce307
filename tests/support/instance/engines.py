"""The engines of this run, from SERINUS_CLUSTER (conftest.py)."""

from __future__ import annotations

import os
from pathlib import Path

UP, OWN, ALSO, PODMAN = "up", "own", "also", "podman"
"""`podman`: `serinus up --runtime podman`."""
GIVEN = os.environ.get("SERINUS_CLUSTER") or UP
ENGINES = (UP, OWN) if GIVEN == ALSO else (GIVEN,)
GATEWAY = os.environ.get("SERINUS_GATEWAY", "")
THEIRS = None if GIVEN in (UP, OWN, ALSO, PODMAN) else Path(GIVEN)
"""The kubeconfig of a cluster that is not the tests' own."""
