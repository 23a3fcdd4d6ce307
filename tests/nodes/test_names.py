"""Names of Services, which CoreDNS resolves on the node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster.binary import NoBinary
from tests.support.instance.live import eventually
from tests.support.nodes.addons.coredns import coredns, resolved
from tests.support.nodes.node import Node
from tests.support.nodes.node_settings import DOMAIN
from tests.support.nodes.python_files import interpreter
from tests.support.nodes.shop import Shop, rollout, service

RESOLVE = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"


@pytest.fixture(scope="module", autouse=True)
def names(installed: Node) -> Iterator[None]:
    try:
        program = coredns()
    except NoBinary as error:
        pytest.skip(f"no CoreDNS here: {error}")
    with resolved(installed, program):
        yield


def test_a_pod_resolves_a_service_by_its_short_and_its_full_name(shop: Shop) -> None:
    shop.apply(rollout({"canary": {}}, replicas=1), service())
    shop.becomes("Healthy")
    address = shop.address().removeprefix("http://")
    (pod,) = shop.pods("blue")
    for name in ("shop", f"shop.{shop.namespace}", f"shop.{shop.namespace}.svc.{DOMAIN}"):
        command = ("exec", pod, "--", str(interpreter()), "-c", RESOLVE, name)
        assert eventually(lambda command=command: shop.kubectl(*command, check=False)).strip() == address
