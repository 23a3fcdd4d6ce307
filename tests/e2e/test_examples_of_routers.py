"""The examples of routers beside nginx, typed as their READMEs have them, while 100 requests a second come in: none of them is lost.

On `serinus up` alone: its gateway serves these kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Instance, eventually
from readme import Readme
from visitors import visitors


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(tmp_path / "data")
    try:
        instance.up()
        yield instance
    finally:
        print(instance.logs())
        instance.down()


def test_gateway_api(up: Instance, tmp_path: Path):
    always = {"X-Canary": "always"}
    with Readme("examples/gateway-api", up, tmp_path) as readme:
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        with visitors(up.status["gateway"], "till.test") as there:
            readme.type("kubectl argo rollouts set image")
            readme.type("sleep 2\ncurl")
            assert set(up.colors("till.test", 20, always)) == {"green"}
            assert {seen.color for seen in list(there.traffic.answers)} == {"blue"}, "only for who asks for it"
            readme.type("kubectl argo rollouts promote")
            assert 17 <= there.share("green") <= 23
            readme.type("kubectl argo rollouts promote")
            readme.type("sleep 2\ncurl")
            there.all_become("green")
        up.down()
        up.up()
        eventually(lambda: up.ask("till.test") == (200, '"green"'))
        readme.type("kubectl delete")


def test_traefik(up: Instance, tmp_path: Path):
    with Readme("examples/traefik", up, tmp_path) as readme:
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        with visitors(up.status["gateway"], "cafe.test") as there:
            readme.type("kubectl argo rollouts set image")
            assert 17 <= there.share("green") <= 23
            readme.type("kubectl argo rollouts abort")
            there.all_become("blue")
            readme.type("kubectl argo rollouts retry")
            readme.type("sleep 2\ncurl")
            there.all_become("green")
        up.down()
        up.up()
        eventually(lambda: up.ask("cafe.test") == (200, '"green"'))
        readme.type("kubectl delete")
