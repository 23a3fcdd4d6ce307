"""From nginx's annotations to the Gateway API on `serinus up`, in the middle of an update, while 100 requests a second come in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gateways import routes
from tests.support.instance.live import BIN, Instance, eventually
from tests.support.instance.visitors import visitors

GIVEN = "kubectl get rollouts,ingresses,services -o yaml"
MIGRATE = f"{BIN / 'serinus'} migrate-routes"


def weights(up: Instance) -> list[int]:
    route = up.get("httproute", routes.NAME)
    return [each.get("weight", 1) for each in route["spec"]["rules"][0]["backendRefs"]]


@pytest.mark.long
def test_a_running_canary_moves_from_nginx_to_the_gateway_api(up: Instance, tmp_path: Path):
    host = routes.host("nginx")
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": routes.objects("nginx", "blue")})
    (tmp_path / "web.json").write_text(manifest)
    up.shell("kubectl apply -f web.json", tmp_path)
    eventually(lambda: up.ask(host) == (200, '"blue"'), 60)
    with visitors(up.status["gateway"], host) as there:
        up.shell("kubectl argo rollouts set image web web=argoproj/rollouts-demo:green")
        up.shell("kubectl wait rollout/web --for=jsonpath='{.status.phase}'=Paused --timeout=60s")
        up.shell("kubectl wait rollout/web --for=jsonpath='{.status.currentStepIndex}'=3 --timeout=60s")
        eventually(lambda: 45 <= there.share("green") <= 55, 60)
        up.shell(f"{GIVEN} | {MIGRATE} --gateway default/gateway -f - > routes.yaml", tmp_path)
        up.shell("kubectl apply -f routes.yaml", tmp_path)
        eventually(lambda: weights(up) == [50, 50])
        checked = up.shell(f"{MIGRATE} --check {up.status['gateway']} {up.status['gateway']} -f web.json", tmp_path)
        assert "both answer alike" in checked
        up.shell("kubectl delete ingress web web-web-canary")
        eventually(lambda: 45 <= there.share("green") <= 55, 60)
        up.shell("kubectl argo rollouts promote web")
        up.shell("kubectl argo rollouts status web --timeout 90s")
        there.all_become("green")
    assert weights(up) == [100, 0]
