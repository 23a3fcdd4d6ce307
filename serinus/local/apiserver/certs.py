"""The server's identity and credentials: a CA, the server's certificate, a token, and a kubeconfig with all three."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import secrets
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from serinus.api.yaml.writer import dump

_YEARS = 10
_RENEW_DAYS = 30
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
"""Valid characters of a bearer token (RFC 6750), and a minimum length that detects a truncated one."""


class Unreadable(Exception):
    """An identity file has invalid content: the message has the file, the reason and the fix."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Identity files of one instance. `token` is the secret itself."""

    ca: Path
    certificate: Path
    key: Path
    token: str
    token_file: Path

    @property
    def ca_pem(self) -> str:
        return self.ca.read_text()

    def ssl_context(self) -> ssl.SSLContext:
        """The server's TLS context: TLS 1.2 and above."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(["http/1.1"])
        return context


def identity(
    directory: Path,
    now: float,
    names: Sequence[str] = ("localhost", "kubernetes", "kubernetes.default.svc", "127.0.0.1"),
) -> ServerIdentity:
    """The identity in `directory`; a missing or soon expiring one is recreated. `now`: epoch seconds.

    Files with secrets have mode 0600. The CA's key is not stored: a new certificate comes with a new CA. Raises
    Unreadable for a file with other content, and OSError.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = ServerIdentity(
        directory / "ca.crt", directory / "server.crt", directory / "server.key", "", directory / "token"
    )
    if not _usable(files, now):
        _make(files, now, names)
    return replace(files, token=_token(files.token_file))


def _token(file: Path) -> str:
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    token = file.read_bytes().decode("ascii", "replace").strip()
    if not _TOKEN.fullmatch(token):
        raise Unreadable(
            f"{file} holds no token ({found_in(file)}): remove it, and the next start makes a new one and writes it "
            "into the kubeconfig."
        )
    return token


def _usable(files: ServerIdentity, now: float) -> bool:
    if not (files.ca.exists() and files.certificate.exists() and files.key.exists()):
        return False
    ca, certificate = _certificate(files.ca), _certificate(files.certificate)
    try:
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _damaged(files.key, "no private key") from None
    if key.public_key() != certificate.public_key():
        raise _damaged(files.key, f"not the key of {files.certificate.name}")
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        raise _damaged(files.ca, f"not the CA of {files.certificate.name}") from None
    return certificate.not_valid_after_utc > datetime.fromtimestamp(now, UTC) + timedelta(days=_RENEW_DAYS)


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError:
        raise _damaged(file, "no certificate") from None


def _damaged(file: Path, what: str) -> Unreadable:
    return Unreadable(
        f"{file} is {what} ({found_in(file)}): remove {file.parent}, and the next start makes a new CA, certificate, "
        "key and token and writes them into the kubeconfig."
    )


def found_in(file: Path) -> str:
    """A short description of a file's content, for an error."""
    content = file.read_bytes()
    if not content:
        return "it is empty"
    try:
        content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes that are not UTF-8"
    return f"{len(content)} bytes"


def _make(files: ServerIdentity, now: float, names: Sequence[str]) -> None:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "serinus-ca")])
    # A clock that is slightly behind must not refuse a fresh certificate.
    start = datetime.fromtimestamp(now, UTC) - timedelta(hours=1)
    end = start + timedelta(days=365 * _YEARS)

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        draft = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        draft = draft.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        return draft.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)

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
    # The certificate is written last: an interrupted start begins again.
    files.certificate.unlink(missing_ok=True)
    write_private(files.ca, ca_certificate.public_bytes(pem).decode())
    write_private(files.key, private.decode())
    write_private(files.certificate, certificate.public_bytes(pem).decode())


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write_private(path: Path, text: str) -> None:
    """Atomically writes a file that only its owner can read."""
    # An unguessable name, opened only if it is new: other users may write in the directory.
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def write_kubeconfig(path: Path, server: str, ca_pem: str, token: str) -> None:
    """Writes a kubeconfig with one context, `serinus`, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, dump(kubeconfig_of(server, ca_pem, token)))


def kubeconfig_of(server: str, ca_pem: str, token: str) -> dict[str, Any]:
    """A kubeconfig with one cluster, context and user, each named `serinus`."""
    return {
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
