"""No request is lost on a real control plane behind a real gateway; `bench/lost_requests.py` sends 100,000."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import requests_scenarios as scenarios
from tests.support.cluster.cluster import Cluster
from tests.support.cluster.requests_ledger import summary
from tests.support.cluster.requests_scenarios import Scenario
from tests.support.cluster.requests_scene import scene
from tests.support.cluster.requests_takeover import from_argo_rollouts_and_back

RATE = 100.0
CHOSEN = [
    scenarios.canary_aborted_and_retried,
    scenarios.blue_green,
    scenarios.from_a_deployment_on_success,
    from_argo_rollouts_and_back,
]


@pytest.mark.parametrize("scenario", CHOSEN, ids=lambda scenario: scenario.__name__.replace("_", " "))
def test_no_request_is_lost_and_none_is_answered_by_the_wrong_version(
    scenario: Scenario, cluster: Cluster, tmp_path: Path
) -> None:
    with scene(cluster, scenario.__name__, tmp_path / "there", RATE) as asked:
        scenario(asked)
    traffic = asked.asking.traffic
    assert traffic.total > 500
    bad = asked.ledger.bad(list(traffic.answers))
    assert not bad, summary(traffic.total, bad)
