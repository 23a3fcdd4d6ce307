"""A Kubernetes node that runs containers, with a control plane of its own, in the network of the thread that starts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.cluster.cluster import BIN, as_list
from tests.support.cluster.control_plane import ADMIN, ControlPlane
from tests.support.nodes import node_settings
from tests.support.nodes.machine import Machine
from tests.support.nodes.node_settings import ADDRESS, API_SERVICE, BRIDGE, GATEWAY, Places
from tests.support.nodes.programs import SYSTEM_PATH
from tests.support.nodes.registry import HUB, Registry

NODE = "n1"
KUBELET = f"system:node:{NODE}"
SCHEDULER = "system:kube-scheduler"
PROXY = "system:kube-proxy"
USERS = {ADMIN: "system:masters", KUBELET: "system:nodes", SCHEDULER: "none", PROXY: "none"}
"""Each part has its own user, with the rights that Kubernetes itself gives it."""
START_SECONDS = 90.0
ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/nonexistent"}


@dataclass
class Node:
    """`program`: kubelet, kube-proxy and kube-scheduler. `images`: an archive, whose images the node has."""

    plane: ControlPlane
    program: Path
    machine: Machine
    directory: Path
    images: Path
    registry: Registry | None = None
    """Of the same images, for pods that insist on a pull."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])

    @staticmethod
    def control_plane(program: Path, directory: Path) -> ControlPlane:
        """As that of tests/cluster, but pods reach it, and all controllers run."""
        return ControlPlane(
            program,
            directory,
            audit=True,
            groups=dict(USERS),
            names=(ADDRESS, API_SERVICE),
            api_flags=(
                "--bind-address=0.0.0.0",
                f"--advertise-address={ADDRESS}",
                "--endpoint-reconciler-type=lease",
                "--authorization-mode=Node",
                "--kubelet-preferred-address-types=InternalIP",
            ),
            manager_flags=(
                "--controllers=*",
                f"--service-account-private-key-file={directory / 'accounts.key'}",
                "--use-service-account-credentials=false",
                # An autoscaler decides within seconds, also about pods that have just begun.
                "--horizontal-pod-autoscaler-sync-period=2s",
                "--horizontal-pod-autoscaler-initial-readiness-delay=2s",
                "--horizontal-pod-autoscaler-cpu-initialization-period=5s",
            ),
        )

    def start(self) -> None:
        """Returns when the node is Ready and Services have their rules."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._make_network()
        self.plane.start()
        self.machine.start()
        places = Places(self.directory)
        places.network.mkdir()
        self.registry = Registry(self.images)
        hub = places.registries / HUB
        hub.mkdir(parents=True)
        (hub / "hosts.toml").write_text(node_settings.mirror(self.registry.start()))
        self._write("containerd.toml", node_settings.containerd(places))
        (places.network / node_settings.CONFLIST).write_text(node_settings.bridge())
        self._run("containerd", "containerd", "--config", str(self.directory / "containerd.toml"))
        self._await("containerd", lambda: self._ctr("version", check=False))
        self.import_images(self.images)
        kubelet = self._write("kubelet.json", node_settings.kubelet(places, self.machine.cgroup))
        flags = [f"--config={kubelet}", f"--hostname-override={NODE}", f"--node-ip={ADDRESS}"]
        self._run("kubelet", str(self.program), "kubelet", f"--kubeconfig={self.plane.kubeconfig(KUBELET)}", *flags)
        self._run("kube-proxy", str(self.program), "kube-proxy", *self._proxy_flags())
        scheduler = self._write("scheduler.json", node_settings.scheduler(self.plane.kubeconfig(SCHEDULER)))
        self._run("kube-scheduler", str(self.program), "kube-scheduler", f"--config={scheduler}", "--secure-port=0")
        self._await("kubelet", self._ready)
        self._await("kube-proxy", lambda: API_SERVICE in self.machine.ask("iptables-save", environment=ENVIRONMENT))

    def import_images(self, archive: Path, base: str = "") -> None:
        """`base`: the name of an image in an OCI archive, which has only its tag."""
        self._ctr("images", "import", *(["--base-name", base] if base else []), str(archive))

    def stop(self) -> None:
        """Ends all processes, mounts, control groups and files, whatever state the start has reached."""
        try:
            self.machine.stop()
            for process in self.processes.values():
                process.wait(10)
        finally:
            if self.registry is not None:
                self.registry.stop()
            self.plane.stop()
            shutil.rmtree(self.directory, ignore_errors=True)

    def kubectl(self, *arguments: str, check: bool = True, given: str | None = None) -> str:
        """As an administrator. With `check=False` its errors follow its output."""
        command = [str(BIN / "kubectl"), "--kubeconfig", str(self.plane.kubeconfig()), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, input=given, timeout=180, check=False)
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout + ("" if check else done.stderr)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(as_list(objects)))

    def left(self) -> list[str]:
        """What there is of it on this machine: processes, mounts, control groups and files. Nothing after `stop`."""
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.directory) in line]
        names = {Path("/run/netns"): "cni-*", self.directory.parent: self.directory.name}
        files = [str(file) for place, pattern in names.items() for file in place.glob(pattern)]
        return [*self.machine.left(), *mounts, *files]

    def logs(self) -> str:
        files = sorted([*self.directory.glob("*.log"), *self.plane.directory.glob("*.log")])
        return "\n".join(f"== {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in files)

    def _make_network(self) -> None:
        _ip("addr", "add", f"{ADDRESS}/32", "dev", "lo")
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", GATEWAY, "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        # A ClusterIP needs a route before the rules of its Service replace it by a pod's address.
        _ip("route", "add", "default", "dev", BRIDGE)
        for name in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
            (Path("/proc/sys/net") / name).write_text("1")

    def _proxy_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self.plane.kubeconfig(PROXY)}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={node_settings.PODS}",
            f"--hostname-override={NODE}",
            # These limits are the whole machine's: they stay as they are.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ]

    def _ready(self) -> bool:
        path = "{.status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("get", "node", NODE, "-o", f"jsonpath={path}", check=False) == "True"

    def _ctr(self, *arguments: str, check: bool = True) -> bool:
        command = ["ctr", "--address", Places(self.directory).socket, "--namespace", "k8s.io", *arguments]
        try:
            self.machine.ask(*command, environment=ENVIRONMENT)
        except AssertionError:
            if check:
                raise
            return False
        return True

    def _write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def _run(self, part: str, *command: str) -> None:
        with (self.directory / f"{part}.log").open("ab") as log:
            self.processes[part] = self.machine.run(list(command), log, ENVIRONMENT)

    def _await(self, part: str, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while not holds():
            ended = self.processes[part].poll() is not None
            if ended or time.monotonic() > end:
                said = (self.directory / f"{part}.log").read_text(errors="replace")[-3000:]
                raise AssertionError(f"{part} {'ended' if ended else 'is not ready in time'}: {said}")
            time.sleep(0.2)


def _ip(*arguments: str) -> None:
    subprocess.run([shutil.which("ip", path=SYSTEM_PATH) or "ip", *arguments], check=True, capture_output=True)
