"""etcd, kube-apiserver and kube-controller-manager as processes, in a directory and on ports of their own.

Nothing schedules and nothing watches nodes: the one node binds pods itself. Each user has a token, so that
the audit log shows the author of each request.
"""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from serinus.local.apiserver.certs import identity, write_kubeconfig, write_private

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "disruption-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
)
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
ADMIN = "admin"
ADVERTISED = "10.200.0.1"
"""Where pods would reach the API server; of the network's local range."""


@dataclass
class ControlPlane:
    """`start` it inside the network that it is for. `audit`: every change is written to a file."""

    program: Path
    directory: Path
    audit: bool = False
    alone: bool = False
    """Only the API server: only the clients of a test change anything."""
    groups: dict[str, str] = field(default_factory=lambda: {ADMIN: "system:masters"})
    """User -> group."""
    names: tuple[str, ...] = ()
    """Names and addresses of the API server in its certificate, beside its own."""
    api_flags: tuple[str, ...] = ()
    manager_flags: tuple[str, ...] = ()
    """Given last: they replace those of the same name, and add to lists."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        names = ("localhost", "127.0.0.1", ADVERTISED, "kubernetes.default.svc", *self.names)
        self.identity = identity(self.directory / "pki", time.time(), names)
        self.tokens = {user: secrets.token_urlsafe(16) for user in self.groups}
        rows = [f'{self.tokens[user]},{user},{user},"{group}"' for user, group in self.groups.items()]
        write_private(self.directory / "tokens.csv", "\n".join(rows) + "\n")
        self._write_signing_key()
        for user in self.groups:
            write_private(self.token_file(user), self.tokens[user])
            write_kubeconfig(self.kubeconfig(user), self.url, self.identity.ca_pem, self.tokens[user])
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run("etcd", "--data-dir", str(self.directory / "etcd"), "--client", client, "--peer", peer)
        self._run("apiserver", *self._api_flags(client))
        self._wait_ready()
        if not self.alone:
            self._run("controller-manager", *self._manager_flags())

    def kubeconfig(self, user: str = ADMIN) -> Path:
        return self.directory / f"{user}.kubeconfig"

    def token_file(self, user: str = ADMIN) -> Path:
        return self.directory / f"{user}.token"

    @property
    def audit_file(self) -> Path:
        return self.directory / "audit.jsonl"

    def stop(self) -> None:
        """Ends all, last started first."""
        for name, process in reversed(self.processes.items()):
            # Its data goes with the directory: only the API server's clients get time to receive the end.
            process.send_signal(signal.SIGKILL if name == "etcd" else signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def _write_signing_key(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self.directory / "accounts.key", pem.decode())

    def _api_flags(self, etcd: str) -> list[str]:
        key = self.directory / "accounts.key"
        flags = [
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--advertise-address={ADVERTISED}",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={self.identity.certificate}",
            f"--tls-private-key-file={self.identity.key}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            # As on OpenShift: a client that creates an object that keeps its owner needs the right to finalize that owner.
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged=true",
            "--profiling=false",
        ]
        if self.alone:
            flags.append("--disable-admission-plugins=ServiceAccount")  # no controller creates accounts
        if self.audit:
            policy = self.directory / "audit-policy.yaml"
            policy.write_text(AUDIT)
            flags += [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_file}"]
        return [*flags, *self.api_flags]

    def _manager_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig()}",
            "--leader-elect=false",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--root-ca-file={self.identity.ca}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            # The defaults are for clusters that share their API server among many; here they would dominate the measurement.
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
            "--concurrent-replicaset-syncs=10",
            "--concurrent-deployment-syncs=10",
            "--concurrent-gc-syncs=20",
            "--concurrent-namespace-syncs=20",
            *self.manager_flags,
        ]

    def _run(self, part: str, *flags: str) -> None:
        with (self.directory / f"{part}.log").open("wb") as log:
            self.processes[part] = subprocess.Popen(
                [str(self.program), part, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={k: v for k, v in os.environ.items() if not k.upper().startswith(("KUBE", "ETCD"))},
                start_new_session=True,
            )

    def _wait_ready(self) -> None:
        context = ssl.create_default_context(cafile=str(self.identity.ca))
        end = time.monotonic() + READY_SECONDS
        while (found := self._readiness(context)) != "ok":
            self.assert_running()
            if time.monotonic() > end:
                raise AssertionError(f"the API server is not ready: {found}: {self.last_words('apiserver')}")
            time.sleep(0.05)

    def _readiness(self, context: ssl.SSLContext) -> str:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=5)
        try:
            connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {self.tokens[ADMIN]}"})
            return connection.getresponse().read().decode()
        except OSError as error:
            return str(error)
        finally:
            connection.close()

    def assert_running(self, more: Mapping[str, subprocess.Popen[bytes]] | None = None) -> None:
        """AssertionError with the exit code and the last lines of a part that has ended. `more`: other parts with logs here."""
        for name, process in {**self.processes, **(more or {})}.items():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended with {process.returncode}: {self.last_words(name)}")

    def last_words(self, part: str) -> str:
        return (self.directory / f"{part}.log").read_text(errors="replace")[-2000:]


AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [system:serviceaccounts]
  verbs: [get, list, watch]
- level: Metadata
  userGroups: [system:serviceaccounts]
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: None
  verbs: [get, list, watch]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Request
  omitStages: [ResponseStarted]
"""
"""Every change with its request body; of the controller, which is the only service account here, its reads as well."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
