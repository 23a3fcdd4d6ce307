"""A certificate authority of this instance alone, the server's certificate, the token, and a kubeconfig for them."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_DAYS = 3650


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_private(path: Path, data: bytes) -> None:
    """A file that only its owner reads, complete or not there."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
        f.write(data)
    part.replace(path)


def ensure_certificates(directory: Path) -> None:
    """ca.crt, server.crt and server.key below `directory`, made once."""
    if all((directory / n).exists() for n in ("ca.crt", "server.crt", "server.key")):
        return
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    end = now + datetime.timedelta(days=VALID_DAYS)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name(f"serinus-ca-{secrets.token_hex(4)}")
    identity = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        x509.CertificateBuilder().subject_name(ca_name).issuer_name(ca_name).public_key(ca_key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now).not_valid_after(end).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(identity, critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True).sign(ca_key, hashes.SHA256())
    )  # fmt: skip
    places = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("kubernetes.default.svc"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.IPAddress(ipaddress.ip_address("::1"))])
    server = (
        x509.CertificateBuilder().subject_name(_name("serinus")).issuer_name(ca_name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now).not_valid_after(end).add_extension(places, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False).sign(ca_key, hashes.SHA256())
    )  # fmt: skip
    write_private(directory / "server.key", _pem(key))
    write_private(directory / "server.crt", server.public_bytes(serialization.Encoding.PEM))
    write_private(directory / "ca.crt", ca.public_bytes(serialization.Encoding.PEM))


def ensure_token(path: Path) -> str:
    """The bearer token, made once; the file has no newline at its end."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text().strip()


def write_kubeconfig(path: Path, server: str, ca_pem: bytes, token: str, *, name: str = "serinus") -> None:
    """A kubeconfig with one context, readable by its owner alone."""
    text = f"""apiVersion: v1
kind: Config
current-context: {name}
clusters:
- name: {name}
  cluster:
    server: {server}
    certificate-authority-data: {base64.b64encode(ca_pem).decode()}
contexts:
- name: {name}
  context: {{cluster: {name}, user: {name}, namespace: default}}
users:
- name: {name}
  user: {{token: {token}}}
"""
    write_private(path, text.encode())
