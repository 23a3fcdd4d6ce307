"""Istio beside `serinus up`: a real istiod that reads its API server, and a real Envoy as the ingress gateway.

There is no cluster and no sidecar: pods have loopback addresses, and the gateway sends requests to them. A `Gateway` with the selector
`istio: ingressgateway` gets a listener on 127.0.0.1 when its server has `bind: 127.0.0.1`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

import yaml

from serinus.local.traefik.gateway import free_port
from tests.gateways.programs import envoy, istiod
from tests.support.instance.live import Instance, eventually

HOST = "127.0.0.1"
SPACE = "istio-system"
MESH = {
    "enableAutoMtls": False,
    "enablePrometheusMerge": False,
}
ENVIRONMENT = {
    "POD_NAMESPACE": SPACE,
    "POD_NAME": "istiod-0",
    "ENABLE_CA_SERVER": "false",
    "PILOT_CERT_PROVIDER": "none",
    "PILOT_ENABLE_STATUS": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_GATEWAY_API": "false",
    "PILOT_DEBOUNCE_AFTER": "20ms",
}
"""No certificates and no meshed pods; a change waits 20 ms for others."""
_HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Istio:
    """`with Istio(...)`: istiod and Envoy run; `port` is the one that a Gateway's server has to have."""

    def __init__(self, instance: Instance, directory: Path) -> None:
        """Raises NoBinary."""
        self._istiod, self._envoy = istiod(), envoy()
        self._instance, self._directory = instance, directory
        self._logs: list[IO[bytes]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = free_port(HOST, 0)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Istio:
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(10)
        for log in self._logs:
            log.close()

    def logs(self) -> str:
        return "\n".join(
            f"== {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in self._directory.glob("*.log")
        )

    def _start(self) -> None:
        self._instance.shell(f"kubectl create namespace {SPACE} --dry-run=client -o yaml | kubectl apply -f -")
        self._instance.shell(f"kubectl apply --server-side -f {self._istiod / 'crds.yaml'}")
        xds, http, monitoring = (free_port(HOST, 0) for _ in range(3))
        mesh = self._directory / "mesh.yaml"
        mesh.write_text(yaml.safe_dump({**MESH, "defaultConfig": {"discoveryAddress": f"{HOST}:{xds}"}}))
        options = {
            "kubeconfig": self._instance.status["kubeconfig"],
            "grpcAddr": f"{HOST}:{xds}",
            "httpAddr": f"{HOST}:{http}",
            "httpsAddr": "",
            "secureGRPCAddr": "",
            "monitoringAddr": f"{HOST}:{monitoring}",
            "ctrlz_port": "0",
            "meshConfig": str(mesh),
        }
        arguments = [word for key, value in options.items() for word in (f"--{key}", value)]
        self._run("istiod", str(self._istiod / "istiod"), "discovery", *arguments, **ENVIRONMENT)
        self._await("istiod", http, "/ready")
        admin = free_port(HOST, 0)
        settings = self._directory / "envoy.yaml"
        settings.write_text(yaml.safe_dump(bootstrap(xds, admin)))
        command = ["-c", str(settings), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
        self._run("envoy", str(self._envoy), *command)
        self._await("envoy", admin, "/ready")

    def _run(self, name: str, *command: str, **environment: str) -> None:
        log = (self._directory / f"{name}.log").open("wb")
        self._logs.append(log)
        self._processes.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={**os.environ, **environment},
            )
        )

    def _await(self, name: str, port: int, path: str) -> None:
        process = self._processes[-1]

        def ready() -> bool:
            assert process.poll() is None, f"{name} has ended:\n{self.logs()}"
            return status(port, path) == 200

        eventually(ready, 120)


def status(port: int, path: str, host: str = "") -> int:
    """The status of an answer to one request; 0 without an answer."""
    import http.client

    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def bootstrap(xds: int, admin: int, *, discovery: str = HOST, admin_host: str = HOST) -> dict[str, object]:
    """Of an Envoy that is the ingress gateway of istiod at the port `xds` of the address `discovery`."""
    metadata = {
        "CLUSTER_ID": "Kubernetes",
        "NAMESPACE": SPACE,
        "GENERATOR": "grpc_no",
        "ISTIO_VERSION": "1.29.0",
        "LABELS": {"istio": "ingressgateway"},
        "INSTANCE_IPS": "127.0.0.9",
        "DISABLE_TELEMETRY": "true",
    }
    ads = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    cluster = {
        "name": "xds-grpc",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            _HTTP2: {"@type": f"type.googleapis.com/{_HTTP2}", "explicit_http_config": {"http2_protocol_options": {}}}
        },
        "load_assignment": {
            "cluster_name": "xds-grpc",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(discovery, xds)}}]}],
        },
    }
    return {
        "node": {
            "id": f"router~127.0.0.9~gateway.{SPACE}~{SPACE}.svc.cluster.local",
            "cluster": "istio-ingressgateway",
            "metadata": metadata,
            "locality": {},
        },
        "admin": {"address": _address(admin_host, admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {"clusters": [cluster]},
    }


def _address(host: str, port: int) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}
