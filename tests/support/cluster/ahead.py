"""The programs of the tests on a real control plane, and Istio's, built while tests run that do not need them."""

from __future__ import annotations

import contextlib
import threading

from tests.gateways.programs import istiod
from tests.support.cluster.binary import NoBinary, binary
from tests.support.cluster.helm_program import helm
from tests.support.cluster.network import NoNetwork, ask_for_network


def build_ahead() -> None:
    """Start the builds. A test that needs a program waits for its build, and receives its error."""
    threading.Thread(target=_build, daemon=True).start()


def _build() -> None:
    # The fixture that repeats the build reports the failure; without a network of their own the programs have no use.
    with contextlib.suppress(NoBinary, NoNetwork, AssertionError):
        ask_for_network()
        binary()
        helm()
    with contextlib.suppress(NoBinary):
        istiod()
