"""Certificates of a test's own authority for servers at 127.0.0.1."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

KINDS = {
    "self-signed": "the server's certificate is not accepted: self-signed certificate",
    "expired": "the server's certificate is not accepted: certificate has expired",
    "other name": "the server's certificate is",
}
"""The words of the error for each kind of certificate; OpenSSL has different ones for a name and for an address."""


class Authority:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        made = _builder(self._name, self._name, self._key, datetime.now(UTC) + timedelta(days=2))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = made.sign(self._key, SHA256())

    def write(self, file: Path) -> None:
        """The authority's own certificate, for SSL_CERT_FILE."""
        file.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def server(self, kind: str, directory: Path) -> ssl.SSLContext:
        """The context of a server whose certificate has a fault of KINDS; "" for none."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        end = now - timedelta(hours=1) if kind == "expired" else now + timedelta(days=1)
        issuer = name if kind == "self-signed" else self._name
        made = _builder(name, issuer, key, end)
        place = x509.DNSName("other.test") if kind == "other name" else x509.IPAddress(ip_address("127.0.0.1"))
        made = made.add_extension(x509.SubjectAlternativeName([place]), critical=False)
        signed = made.sign(key if kind == "self-signed" else self._key, SHA256())
        file = directory / f"{kind or 'good'}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(signed.public_bytes(Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime
) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(until)
