"""An instance of `serinus up`, and Istio beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateways.istio import Istio
from tests.gateways.programs import envoy, istiod
from tests.support.cluster.binary import NoBinary
from tests.support.instance.live import Instance, running


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Instance]:
    with running(Instance(tmp_path / "data")) as instance:
        yield instance


@pytest.fixture
def programs() -> None:
    """Skips the test, with the reason, where Istio's programs cannot be had."""
    try:
        _ = istiod(), envoy()
    except NoBinary as error:
        pytest.skip(str(error))


@pytest.fixture
def istio(programs: None, up: Instance, tmp_path: Path) -> Iterator[Istio]:
    running = Istio(up, tmp_path / "mesh")
    with running:
        yield running
        print(running.logs())
