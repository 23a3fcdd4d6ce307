from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(tmp_path / "data")
    try:
        instance.up()
        yield instance
    finally:
        print(instance.logs())
        instance.serinus("down", check=False)
