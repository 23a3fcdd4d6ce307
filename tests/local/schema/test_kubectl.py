"""The real kubectl against the real server: it explains, validates, patches and applies by our schemas."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from serinus.kube.clock import SystemClock
from serinus.local.apiserver.certs import identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.long import few

Json = dict[str, Any]
Kubectl = Callable[..., Awaitable[tuple[int, str]]]
KUBECTL = Path(sys.executable).parent / "kubectl"
_WITH_AN_UNKNOWN_KIND = """
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: two}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: three}
"""


@pytest_asyncio.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    """Run kubectl: (exit code, its output); `stdin` may be an object."""
    api = ApiServer(MemoryStore(), Schemas(), SystemClock(), rng=random.Random(1))
    await api.start()
    who = identity(tmp_path / "pki", time.time())
    api.token = who.token
    server = HttpsServer(api.handle, who.token, who.ssl_context())
    await server.start(0)
    write_kubeconfig(tmp_path / "kubeconfig", f"https://127.0.0.1:{server.port}", who.ca_pem, who.token)
    env = {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path)}

    async def run(*arguments: str, stdin: Json | str | None = None) -> tuple[int, str]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            KUBECTL, *arguments, env=env, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT
        )
        text = stdin if isinstance(stdin, str) else json.dumps(stdin) if stdin else ""
        out, _ = await process.communicate(text.encode())
        return process.returncode or 0, out.decode()

    yield run
    api.close()
    await server.close()


def rollout(weight: int = 20, **spec: Any) -> Json:
    container = {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    steps = [{"setWeight": weight}, {"pause": {}}]
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": template,
        "strategy": {"canary": {"steps": steps}},
        **spec,
    }
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "r"}, "spec": spec}


async def test_explain_shows_fields_of_rollouts_and_of_built_in_kinds(kubectl: Kubectl):
    code, out = await kubectl("explain", "rollout.spec.strategy.canary.steps")
    assert code == 0, out
    assert "setWeight\t<integer>" in out
    code, out = await kubectl("explain", "pod.spec.containers.ports.protocol")
    assert code == 0, out
    assert "TCP" in out


async def test_strict_validation_names_the_misspelled_field(kubectl: Kubectl):
    code, out = await kubectl("create", "--validate=strict", "-f", "-", stdin=rollout(replicsa=3))
    assert code == 1
    assert 'strict decoding error: unknown field "spec.replicsa"' in out


async def test_apply_twice_is_unchanged_the_second_time_and_a_change_arrives(kubectl: Kubectl):
    for weight, said in ((20, "created"), (20, "unchanged"), (30, "configured")):
        code, out = await kubectl("apply", "-f", "-", stdin=rollout(weight))
        assert (code, out.strip()) == (0, f"rollout.argoproj.io/r {said}")


@pytest.mark.long
async def test_server_side_apply_tells_of_conflicts_with_scale(kubectl: Kubectl):
    assert (await kubectl("apply", "--server-side", "-f", "-", stdin=rollout(replicas=2)))[0] == 0
    assert (await kubectl("scale", "rollout", "r", "--replicas=5"))[0] == 0
    code, out = await kubectl("apply", "--server-side", "-f", "-", stdin=rollout(replicas=2))
    assert code == 1
    assert ".spec.replicas" in out
    assert "conflict" in out


async def test_a_patch_of_a_deployment_merges_containers_by_name(kubectl: Kubectl):
    assert (await kubectl("create", "deployment", "web", "--image=web:1"))[0] == 0
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
    code, out = await kubectl("patch", "deployment", "web", "-p", json.dumps(patch))
    assert code == 0, out
    code, out = await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[*].name}")
    assert sorted(out.split()) == ["side", "web"]


@pytest.mark.parametrize(
    "command",
    few(
        [
            ["apply", "--dry-run=client"],
            ["apply"],
            ["apply", "--server-side"],
            ["apply", "--validate=warn"],
            ["diff"],
            ["replace"],
            ["delete"],
            ["create"],
        ],
        [["apply"], ["delete"]],
    ),
    ids=" ".join,
)
async def test_a_kind_that_is_not_served_does_not_keep_the_rest_of_a_file_back(kubectl: Kubectl, command: list[str]):
    """Each command names the kind as on a cluster, and handles the objects before and after it."""
    if command[0] in ("replace", "delete"):
        for name in ("one", "three"):
            await kubectl("create", "configmap", name)
    code, said = await kubectl(*command, "-f", "-", stdin=_WITH_AN_UNKNOWN_KIND)
    assert code
    assert 'no matches for kind "ServiceMonitor" in version "monitoring.coreos.com/v1"' in said
    if command[0] == "diff":
        # kubectl refuses the whole file, on a cluster too.
        return
    done = re.findall(
        r'configmap[/ ]"?(one|three)"? (?:from \S+ )?(?:created|serverside-applied|replaced|deleted)', said
    )
    assert done == ["one", "three"], said


@pytest.mark.long
async def test_explain_reads_the_v2_document(kubectl: Kubectl):
    """`/openapi/v2` as protobuf, read by the decoder that Kubernetes has: built-in and custom kinds, with types and texts."""
    code, said = await kubectl("explain", "pods.spec.containers.resources", "--output", "plaintext-openapiv2")
    assert code == 0
    assert "limits\t<map[string]string>" in said
    assert "claims\t<[]Object>" in said
    code, said = await kubectl("explain", "rollout.spec.strategy.canary", "--output", "plaintext-openapiv2")
    assert code == 0
    assert "steps\t<[]Object>" in said
    assert "maxSurge" in said
