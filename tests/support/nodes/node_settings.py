"""The configuration of the programs of a node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADDRESS = "10.201.0.1"
"""Of the node, and of the API server."""
BRIDGE = "cni0"
PODS = "10.244.0.0/24"
GATEWAY = "10.244.0.1/24"
"""The bridge's own address in the pods' network."""
API_SERVICE = "10.96.0.1"
"""The first address of the Services' range: the API server, for pods."""
DNS_SERVICE = "10.96.0.10"
"""The name server of pods, where a test installs one."""
DOMAIN = "cluster.local"
SANDBOX = "localhost/init:1"
"""The image of the first container of each pod."""
CONFLIST = "10-bridge.conflist"


@dataclass(frozen=True)
class Places:
    """All files of a node are below `directory`; sockets are in `/run` of its machine."""

    directory: Path

    @property
    def socket(self) -> str:
        return "/run/containerd.sock"

    @property
    def network(self) -> Path:
        return self.directory / "cni"

    @property
    def registries(self) -> Path:
        return self.directory / "registries"


def containerd(places: Places) -> str:
    """In TOML, for containerd 1.6 and newer with the version 2 of its configuration."""
    return f"""\
version = 2
root = "{places.directory}/containerd"
state = "/run/containerd-state"
[grpc]
  address = "{places.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{places.network}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{places.registries}"
"""


def mirror(address: str) -> str:
    """For containerd: the registry at this address has all images of Docker's."""
    url = f"http://{address}"
    return f'server = "{url}"\n[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'


def bridge() -> str:
    """The pods' network: a bridge, with the address of the node in it as the pods' router."""
    ranges = [[{"subnet": PODS}]]
    addresses = {"type": "host-local", "ranges": ranges, "dataDir": "/run/cni", "routes": [{"dst": "0.0.0.0/0"}]}
    plugin = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return json.dumps({"cniVersion": "0.4.0", "name": "bridge", "plugins": [plugin]})


def kubelet(places: Places, cgroup: str) -> str:
    settings: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        # Its port is reached in the tests' network alone.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": DOMAIN,
        "containerRuntimeEndpoint": f"unix://{places.socket}",
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "resolvConf": "",
    }
    return json.dumps(settings)


def scheduler(kubeconfig: Path) -> str:
    return json.dumps(
        {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"kubeconfig": str(kubeconfig)},
        }
    )
