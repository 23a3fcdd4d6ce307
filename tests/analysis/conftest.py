from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from vendor import World, started_vendor

from serinus.analysis.providers.http import Http


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with started_vendor() as vendor, Http() as http:
        yield World(vendor, http)
