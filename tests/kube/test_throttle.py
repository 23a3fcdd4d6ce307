"""`--qps` and `--burst`, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from serinus.kube.throttle import throttled
from serinus.kube.transport import Request, Response
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)


async def answered(request: Request) -> Response:
    return Response(200)


async def seconds(count: int, path: str = "/api/v1/pods", **query: str) -> float:
    """How long so many requests at once take, of a bucket that holds 10 and gets 5 a second."""
    clock = LoopClock()
    handler = throttled(answered, qps=5, burst=10)
    began = clock.now()
    await asyncio.gather(*(handler(Request("GET", path, query)) for _ in range(count)))
    return round(clock.now() - began, 3)


async def test_a_burst_goes_at_once_and_the_rest_at_its_rate() -> None:
    assert await seconds(10) == 0
    assert await seconds(35) == 5


async def test_what_was_not_used_is_kept_up_to_a_burst() -> None:
    clock = LoopClock()
    handler = throttled(answered, qps=5, burst=10)
    await asyncio.sleep(3600)
    began = clock.now()
    for _ in range(15):
        await handler(Request("GET", "/api/v1/pods"))
    assert round(clock.now() - began, 3) == 1


async def test_watches_and_leases_do_not_wait() -> None:
    assert await seconds(100, watch="true") == 0
    assert await seconds(100, "/apis/coordination.k8s.io/v1/namespaces/a/leases/x") == 0


@pytest.mark.parametrize(("qps", "burst"), [(0, 1), (1, 0), (-1, 5)])
async def test_a_bucket_that_never_gives_anything_is_refused(qps: float, burst: int) -> None:
    with pytest.raises(ValueError, match="both must be above 0"):
        throttled(answered, qps=qps, burst=burst)
