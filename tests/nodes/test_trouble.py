"""Bad versions on a node: the commands say in words why the new pods do not become ready, and the old version serves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.instance.live import eventually
from tests.support.nodes.python_files import interpreter
from tests.support.nodes.shop import Shop, rollout, service

pytestmark = pytest.mark.usefixtures("installed")
STRATEGY: dict[str, Any] = {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 25}, {"pause": {}}]}}
PYTHON = str(interpreter())
GREEDY = {
    "command": [PYTHON, "-c", "x = bytearray(500 << 20)"],
    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
}
BROKEN = {"command": [PYTHON, "-c", "import sys; print('the database does not answer'); sys.exit(3)"]}
TROUBLES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "image": ({"image": "localhost/demo:absent"}, ("ImagePullBackOff", "localhost/demo:absent")),
    "memory": (GREEDY, ("OOMKilled", "exited with code 137")),
    "crash": (BROKEN, ("CrashLoopBackOff", "exited with code 3")),
}


@pytest.mark.parametrize("kind", TROUBLES)
def test_the_reason_is_told_and_the_old_version_serves(shop: Shop, kind: str) -> None:
    container, words = TROUBLES[kind]
    shop.apply(rollout(STRATEGY, replicas=2), service())
    shop.becomes("Healthy")
    with shop.visited() as asking:
        shop.apply(rollout(STRATEGY, replicas=2, **container))
        for command in (("why", "shop"), ("status", "shop", "--watch=false"), ("get", "rollout", "shop", "--no-color")):
            assert eventually(lambda command=command: told(shop, command, words), 60)
        shop.plugin("abort", "shop")
        shop.becomes("Degraded")
        asking.all_become("blue")
        shop.apply(rollout(STRATEGY, replicas=2))
        shop.becomes("Healthy")


def told(shop: Shop, command: tuple[str, ...], words: tuple[str, ...]) -> str:
    said = shop.plugin(*command)
    return said if all(word in said for word in words) else ""
