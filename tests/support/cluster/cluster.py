"""A whole cluster: the control plane, our CRDs, `serinus node`, the real controller process, a real Traefik."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from serinus.install.installation import NAME
from serinus.local.apiserver.certs import write_kubeconfig
from serinus.local.traefik.gateway import INGRESS_CLASS, clean_environment, traefik_binary
from serinus.local.traefik.gateway_config import GatewaySettings, configuration
from tests.support.cluster.control_plane import ADMIN, ControlPlane, free_port
from tests.support.cluster.network import PODS

BIN = Path(sys.executable).parent
START_SECONDS = 60.0
HOME = "argo-rollouts"
"""The namespace of the controller and of its lease."""
ACCOUNT = f"system:serviceaccount:{HOME}:{NAME}"
"""The controller's service account: it has the rights that `serinus install` gives, and no others."""


@dataclass
class Cluster:
    """Everything runs in the network of the thread that calls `start`. `node`: whether pods really run."""

    plane: ControlPlane
    node: bool = True
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])
    health_port: int = 0
    metrics_port: int = 0

    @property
    def directory(self) -> Path:
        return self.plane.directory

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self._gateway_port}"

    def start(self) -> None:
        self.plane.start()
        self.install()
        self._gateway_port = free_port()
        if self.node:
            self.start_gateway()
            self.start_node()
        self.start_controller()

    def install(self) -> None:
        """Create the objects that the controller needs, as a user would, and an IngressClass."""
        self.apply(INGRESS_CLASS)
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *self.apply_installation())

    def apply_installation(self, *flags: str) -> list[str]:
        """Apply the output of `serinus install` except the Deployment, which cannot run here. Returns the definitions' names."""
        command = [str(BIN / "serinus"), "install", *flags]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        texts = [t for t in printed.split("\n---\n") if "\nkind: Deployment\n" not in t]
        self.kubectl("apply", "--server-side", "-f", "-", given="\n---\n".join(texts))
        heads = [yaml.safe_load(t) for t in texts if "\nkind: CustomResourceDefinition\n" in t]
        return [f"crd/{head['metadata']['name']}" for head in heads]

    def _identify(self, namespace: str) -> Path:
        """A kubeconfig of the controller's account in this namespace."""
        path = self.directory / f"controller-{namespace}.kubeconfig"
        token = self.kubectl("create", "token", NAME, "-n", namespace, "--duration", "24h").strip()
        write_kubeconfig(path, self.plane.url, self.plane.identity.ca_pem, token)
        return path

    def start_node(self) -> None:
        arguments = ["--name", "serinus", "--data", str(self.directory / "node"), "--pool", PODS]
        self._run("node", str(BIN / "serinus"), "node", "--kubeconfig", str(self.plane.kubeconfig()), *arguments)
        self._await("node", lambda: "serinus" in self.kubectl("get", "nodes", "-o", "name", check=False))

    def start_controller(self, *flags: str) -> None:
        """Starts it, again after `kill`; returns when it is ready."""
        self.health_port, self.metrics_port = self.run_controller("controller", HOME, *flags)

    def run_controller(self, part: str, namespace: str, *flags: str) -> tuple[int, int]:
        """Start a controller as the account of the namespace where it is installed; returns its ports of health and metrics."""
        health, metrics = free_port(), free_port()
        ports = ["--healthzPort", str(health), "--metricsPort", str(metrics)]
        config = ["--kubeconfig", str(self._identify(namespace)), "--namespace", namespace]
        self._run(part, str(BIN / "serinus"), "controller", *config, *ports, *flags)
        self._await(part, lambda: answer(health, "/readyz") == "ok")
        return health, metrics

    def start_gateway(self) -> None:
        directory = self.directory / "gateway"
        directory.mkdir(exist_ok=True)
        settings = GatewaySettings(
            directory=directory,
            endpoint=self.plane.url,
            token_file=self.plane.token_file(ADMIN),
            ca_file=self.plane.identity.ca,
            log_file=directory / "traefik.log",
            port=self._gateway_port,
        )
        (directory / "traefik.yaml").write_text(json.dumps(configuration(settings)))
        self._run("gateway", traefik_binary(), f"--configFile={directory / 'traefik.yaml'}")
        self._await("gateway", lambda: answer(self._gateway_port, "/") is not None)

    def assert_running(self) -> None:
        """AssertionError with the last lines of a part that has ended, though no test ended it."""
        self.plane.assert_running(self.processes)

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends a part at once; it is not started again."""
        process = self.processes.pop(part)
        process.send_signal(number)
        process.wait(30)

    def stop(self) -> None:
        for part in sorted(self.processes):
            self.kill(part, signal.SIGTERM)
        self.plane.stop()

    def kubectl(self, *arguments: str, check: bool = True, given: str | None = None) -> str:
        command = [str(BIN / "kubectl"), "--kubeconfig", str(self.plane.kubeconfig()), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, input=given, timeout=120, check=False)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        """As an administrator would; large CRDs do not fit the annotation of client-side apply."""
        self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(as_list(objects)))

    def logs(self) -> str:
        files = [*self.directory.glob("*.log"), *self.directory.glob("gateway/traefik.log")]
        return "\n".join(f"== {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in sorted(files))

    def _await(self, part: str, holds: Callable[[], bool]) -> None:
        """Wait until the condition is true; fail with the part's last words when it ends, or takes too long."""
        end = time.monotonic() + START_SECONDS
        while not holds():
            ended = self.processes[part].poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError(
                    f"{part} {'ended' if ended else 'is not ready in time'}: {self.plane.last_words(part)}"
                )
            time.sleep(0.05)

    def _run(self, part: str, *command: str) -> None:
        with (self.directory / f"{part}.log").open("ab") as log:
            self.processes[part] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=clean_environment(os.environ),
                start_new_session=True,
            )


def as_list(objects: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def answer(port: int, path: str) -> str | None:
    """The answer of an HTTP server on this machine; None while it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return None
    finally:
        connection.close()
