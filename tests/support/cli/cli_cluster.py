"""A real API server over HTTPS, the commands against it, and all their requests."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from serinus.api.resources import BY_KIND, NAMESPACES
from serinus.cli import main
from serinus.kube.clock import SystemClock
from serinus.kube.configuration.config import Flags, load
from serinus.kube.errors import AlreadyExists
from serinus.kube.sync import SyncClient
from serinus.kube.transport import Handler, Request, Response
from serinus.local.apiserver.certs import identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas

Json = dict[str, Any]


@dataclass
class Result:
    code: int
    out: str
    err: str


def run(*args: str, **env: str) -> Result:
    """`kubectl-argo-rollouts …` in the process of the test: a process of its own takes most of its time to start."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["kubectl-argo-rollouts", *args]
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", argv), patch.dict(os.environ, env):
        try:
            main.rollouts()
        except SystemExit as ended:
            assert "Traceback" not in err.getvalue()
            return Result(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("the command did not end with an exit code")


class Cluster:
    """An API server with a thread of its own.

    `writes`: (method, path below the namespace, body) of all writes except Events.
    """

    def __init__(self, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self.writes: list[tuple[str, str, Any]] = []
        self.before: Callable[[Request], Response | None] = lambda _: None
        """May answer a request in the server's place."""
        self._directory, self._started = directory, threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._started.wait(20)
        self.client = SyncClient(load(Flags(kubeconfig=str(self.kubeconfig))), user_agent="test")

    async def _serve(self) -> None:
        clock, stop, loop = SystemClock(), asyncio.Event(), asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        api = ApiServer(MemoryStore(), Schemas(), clock, rng=random.Random(1))
        await api.start()
        who = identity(self._directory / "certificates", clock.now())
        server = HttpsServer(self._recorded(api.handle), who.token, who.ssl_context())
        port = await server.start()
        write_kubeconfig(self.kubeconfig, f"https://127.0.0.1:{port}", who.ca_pem, who.token)
        self._started.set()
        await stop.wait()
        api.close()
        await server.close()

    def _recorded(self, handle: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            instead = self.before(request)
            if instead is not None:
                return instead
            ours = "kubectl-argo-rollouts" in request.headers.get("user-agent", "")
            if request.method != "GET" and ours and "/events" not in request.path:
                path = request.path.partition("/namespaces/")[2].partition("/")[2]
                self.writes.append((request.method, path, json.loads(request.body)))
            return await handle(request)

        return answer

    def stop(self) -> None:
        self._stop()
        self._thread.join(10)


class Space:
    """A namespace of the test's own, and the commands in it."""

    def __init__(self, cluster: Cluster, name: str, capture: Callable[[], tuple[str, str]]) -> None:
        self.cluster, self.name, self._capture = cluster, name, capture
        with suppress(AlreadyExists):
            cluster.client.create(NAMESPACES, "", {"metadata": {"name": name}})

    def put(self, obj: Json) -> Json:
        """Creates an object with its status."""
        resource = BY_KIND[obj["kind"]]
        obj = {"apiVersion": resource.api_version, **obj}
        made = self.cluster.client.create(resource, self.name, obj)
        # Experiments and AnalysisRuns have no subresource: their status is part of the object.
        if "status" in obj and obj["kind"] not in ("Experiment", "AnalysisRun"):
            status = {"status": obj["status"]}
            made = self.cluster.client.patch(resource, self.name, obj["metadata"]["name"], status, subresource="status")
        return made

    def get(self, kind: str, name: str) -> Json:
        return self.cluster.client.get(BY_KIND[kind], self.name, name)

    def patch(self, kind: str, name: str, patch: Json, subresource: str = "") -> Json:
        return self.cluster.client.patch(BY_KIND[kind], self.name, name, patch, subresource=subresource)

    def run(self, *args: str) -> Result:
        """`kubectl argo rollouts ARGS` in this namespace."""
        self._capture()
        before = sys.argv
        sys.argv = ["kubectl-argo-rollouts", *args, "-n", self.name]
        try:
            main.rollouts()
        except SystemExit as ended:
            return Result(int(ended.code or 0), *self._capture())
        finally:
            sys.argv = before
        raise AssertionError("the command did not end with an exit code")


def rollout(name: str = "web", *, spec: Json | None = None, status: Json | None = None, **metadata: Any) -> Json:
    """A canary of one container that is done; `spec` and `status` replace fields."""
    labels = {"app": name}
    return {
        "kind": "Rollout",
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}},
            **(spec or {}),
        },
        "status": {"phase": "Healthy", "currentPodHash": "a", "stableRS": "a", "currentStepIndex": 3, **(status or {})},
    }


def revisions(space: Space, *images: str) -> None:
    """ReplicaSets of the Rollout `web`, of one revision after another; an empty image leaves its revision out."""
    uid = space.get("Rollout", "web")["metadata"]["uid"]
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": uid, "controller": True}
    for revision, image in enumerate(images, start=1):
        if not image:
            continue
        labels = {"app": "web", "rollouts-pod-template-hash": f"h{revision}"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
        notes = {"rollout.argoproj.io/revision": str(revision)}
        meta = {"name": f"web-h{revision}", "labels": labels, "annotations": notes, "ownerReferences": [owner]}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        space.put({"kind": "ReplicaSet", "metadata": meta, "spec": spec})
