"""Who we are and who may come in: a CA of our own, the server's certificate, a token, and the kubeconfig with all three."""

from __future__ import annotations

import base64
import ipaddress
import os
import secrets
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from serinus.api.go_yaml_dump import dump

_YEARS = 10
_RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Identity:
    """Files of one instance. `token` is the secret itself."""

    ca: Path
    certificate: Path
    key: Path
    token: str
    token_file: Path

    @property
    def ca_pem(self) -> str:
        return self.ca.read_text()

    def ssl_context(self) -> ssl.SSLContext:
        """For the server: TLS 1.2 and above."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(["http/1.1"])
        return context


def identity(
    directory: Path,
    now: float,
    names: Sequence[str] = ("localhost", "kubernetes", "kubernetes.default.svc", "127.0.0.1"),
) -> Identity:
    """The identity kept in `directory`, made where there is none or it is about to expire. `now`: epoch seconds.

    Files with secrets have mode 0600. The key of the CA is not kept: a new certificate comes with a new CA.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = Identity(directory / "ca.crt", directory / "server.crt", directory / "server.key", "", directory / "token")
    if not _usable(found, now):
        _make(found, now, names)
    if not found.token_file.exists() or not found.token_file.read_text().strip():
        write_private(found.token_file, secrets.token_urlsafe(32))
    return Identity(found.ca, found.certificate, found.key, found.token_file.read_text().strip(), found.token_file)


def _usable(found: Identity, now: float) -> bool:
    if not (found.ca.exists() and found.certificate.exists() and found.key.exists()):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(found.certificate.read_bytes())
    except ValueError:
        return False
    return certificate.not_valid_after_utc > datetime.fromtimestamp(now, UTC) + timedelta(days=_RENEW_DAYS)


def _make(files: Identity, now: float, names: Sequence[str]) -> None:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "serinus-ca")])
    # A clock that is a little behind must not refuse a fresh certificate.
    start = datetime.fromtimestamp(now, UTC) - timedelta(hours=1)
    end = start + timedelta(days=365 * _YEARS)

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)

    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = builder(issuer, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    ca_certificate = ca.add_extension(usage, critical=True).sign(ca_key, hashes.SHA256())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "serinus-apiserver")])
    server = builder(subject, key.public_key()).add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    server = server.add_extension(x509.SubjectAlternativeName([_name(n) for n in names]), critical=False)
    server = server.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    server = server.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
    )
    certificate = server.sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files.ca.write_bytes(ca_certificate.public_bytes(pem))
    files.certificate.write_bytes(certificate.public_bytes(pem))
    write_private(files.key, private.decode())


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(beside, path)


def write_kubeconfig(path: Path, server: str, ca_pem: str, token: str) -> None:
    """A kubeconfig with one context, `serinus`, mode 0600."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "serinus",
        "clusters": [
            {
                "name": "serinus",
                "cluster": {"server": server, "certificate-authority-data": base64.b64encode(ca_pem.encode()).decode()},
            }
        ],
        "contexts": [{"name": "serinus", "context": {"cluster": "serinus", "user": "serinus", "namespace": "default"}}],
        "users": [{"name": "serinus", "user": {"token": token}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, dump(config))
