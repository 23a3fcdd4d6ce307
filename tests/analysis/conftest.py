from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from serinus.analysis.providers.http.client import Http
from tests.support.analysis.vendor import World, started_vendor


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with started_vendor() as vendor, Http() as http:
        yield World(vendor, http)
