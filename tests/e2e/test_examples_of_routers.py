"""The examples of routers beside nginx, typed as their READMEs have them, while 100 requests a second come in: none of them is lost.

On `serinus up` alone: its gateway serves these kinds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.instance.live import Instance, eventually, running
from tests.support.instance.readme import Readme
from tests.support.instance.visitors import visitors

ACTIONS = "alb.ingress.kubernetes.io/actions."


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Instance]:
    with running(Instance(tmp_path / "data")) as instance:
        yield instance


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_grpc(up: Instance, tmp_path: Path):
    """Called 50 times a second, on one connection as gRPC does."""
    with Readme("examples/grpc", up, tmp_path) as readme:
        readme.type("cat > images.yaml")
        readme.type("kubectl apply")
        readme.type("sleep 2\npython3 client.py")
        with callers(up.status["gateway"].removeprefix("http://"), "tally.test") as answers:
            readme.type("kubectl argo rollouts set image")
            readme.type("sleep 2\npython3 client.py")
            before = len(answers)
            eventually(lambda: len(answers) > before + 200, 60)
            assert 15 <= answers[before : before + 200].count("green") / 2 <= 25
            readme.type("kubectl argo rollouts promote")
            readme.type("sleep 2\npython3 client.py")
            eventually(lambda: set(answers[-100:]) == {"green"})
        assert set(answers) == {"blue", "green"}
        readme.type("kubectl delete")


@contextmanager
def callers(address: str, host: str) -> Generator[list[str]]:
    """The version that answered each call. A failed call counts as an answer with the name of its status."""
    answers: list[str] = []
    stopping = threading.Event()

    def call() -> None:
        with grpc.insecure_channel(address, options=[("grpc.default_authority", host)]) as channel:
            version = channel.unary_unary("/tally.Tally/Version")
            for _ in range(50 * 120):
                try:
                    answers.append(version(b"", timeout=10).decode())
                except grpc.RpcError as error:
                    answers.append(str(error))
                if stopping.wait(0.02):
                    return

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        thread.join(30)


@pytest.mark.long
def test_alb(up: Instance, tmp_path: Path):
    """No controller handles its annotations here: the test sees the writes, beside the annotations of the user."""
    ingress_class = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "alb"}}
    up.shell(
        f"kubectl apply -f - <<'EOF'\n{json.dumps({**ingress_class, 'spec': {'controller': 'ingress.k8s.aws/alb'}})}\nEOF"
    )
    with Readme("examples/alb", up, tmp_path) as readme:
        readme.type("kubectl apply")
        given = up.get("ingress", "stall")["metadata"]["annotations"]
        readme.type("kubectl argo rollouts set image")
        assert [path["backend"]["service"]["name"] for path in paths(up)] == ["testers", "stall"]
        readme.type("kubectl argo rollouts promote")
        readme.type("kubectl argo rollouts promote")
        stable = '"ServiceName":"stall","ServicePort":"80","Weight":100'
        eventually(lambda: stable in up.get("ingress", "stall")["metadata"]["annotations"][ACTIONS + "stall"])
        annotations = up.get("ingress", "stall")["metadata"]["annotations"]
        kept = {key: value for key, value in given.items() if "/actions." not in key and "last-applied" not in key}
        assert annotations.items() >= kept.items()
        assert ACTIONS + "testers" not in annotations
        assert [path["backend"]["service"]["name"] for path in paths(up)] == ["stall"]
        readme.type("kubectl delete")


def paths(up: Instance) -> list[Any]:
    """Of the only rule of the Ingress."""
    (rule,) = up.get("ingress", "stall")["spec"]["rules"]
    return rule["http"]["paths"]
