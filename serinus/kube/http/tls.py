"""TLS contexts for both transports: how the client verifies an API server and authenticates itself."""

from __future__ import annotations

import os
import ssl

from serinus.kube.configuration.config import Connection
from serinus.kube.errors import Forbidden


def proxy_context() -> ssl.SSLContext:
    """For https:// proxies: always verified against the system's authorities. The kubeconfig is for the API server."""
    return ssl.create_default_context()


def tls_context(connection: Connection, certificate: bytes, key: bytes) -> ssl.SSLContext:
    """Verifies the server as the kubeconfig specifies. Forbidden if its certificates are unusable, with the remedy."""
    try:
        context = ssl.create_default_context(cadata=connection.ca.decode() if connection.ca else None)
        if connection.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            import tempfile  # slow to import: most users sign in with a token

            # The standard library loads a client certificate only from files.
            with tempfile.TemporaryDirectory(prefix="serinus-") as folder:
                pair = os.path.join(folder, "pair.pem")
                with open(os.open(pair, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                    file.write(certificate + b"\n" + key)
                context.load_cert_chain(pair)
    except (ssl.SSLError, ValueError) as error:
        message = f"the certificates for {connection.server} cannot be used: {error}. Check certificate-authority, "
        raise Forbidden(
            401, "Unauthorized", message + "client-certificate and client-key in the kubeconfig."
        ) from error
    return context
