"""Istio for real: istiod reads the API server of `serinus up`, and Envoy divides the requests, none of which is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateways.istio import Istio
from tests.gateways.releases import releases
from tests.support.cluster.requests_ledger import summary
from tests.support.instance.live import Instance
from tests.support.instance.readme import Readme
from tests.support.instance.visitors import visitors


@pytest.mark.long
def test_the_example(up: Instance, istio: Istio, tmp_path: Path):
    with Readme("examples/istio", up, tmp_path, istio.url) as readme:
        gateway = readme.folder / "gateway.yaml"
        listener = f"number: {istio.port}\n"
        gateway.write_text(
            gateway.read_text().replace("number: 80\n", listener).replace("- port:", "- bind: 127.0.0.1\n      port:")
        )
        readme.type("kubectl apply")
        readme.type("sleep 2\ncurl")
        with visitors(istio.url, "shelf.test") as there:
            readme.type("kubectl argo rollouts set image")
            readme.type("sleep 2\ncurl")
            assert {seen.color for seen in list(there.traffic.answers)} == {"blue"}, "only for who asks for it"
            readme.type("kubectl argo rollouts promote")
            assert 15 <= there.share("green") <= 25
            readme.type("kubectl argo rollouts promote")
            readme.type("sleep 2\ncurl")
            there.all_become("green")
        readme.type("kubectl delete")


@pytest.mark.long
@pytest.mark.long
@pytest.mark.parametrize("router", ["istio-hosts", "istio-subsets"])
def test_releases_lose_no_request(router: str, up: Instance, istio: Istio):
    """To the end and back, an abort, and a third version in the middle, with pods that take 3 s to start and 2 s to stop."""
    with releases(up, istio.url, router, port=istio.port, slow=True) as there:
        there.there_and_back()
        there.aborted()
        there.third_in_the_middle()
    bad = there.ledger.bad(list(there.visitors.traffic.answers))
    assert not bad, summary(there.visitors.traffic.total, bad)
    assert there.visitors.traffic.total > 1000
