"""The reason of a failed request, in words without content of the request.

The errors of the HTTP client quote the request: a URL with its query, a header. So only their kind is used, never
their text.
"""

from __future__ import annotations

import os
import ssl

import aiohttp

_OTHER_NAME = 62
"""X509_V_ERR_HOSTNAME_MISMATCH: OpenSSL's text for it quotes the name."""


def reason(error: Exception) -> str:
    """The reason, in words for users."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _certificate(error.certificate_error)
        case aiohttp.ClientConnectorDNSError():
            return "the name of the host cannot be resolved"
        case aiohttp.ClientConnectorSSLError():
            return _tls(error.os_error)
        case aiohttp.ClientConnectorError():
            return _system(error.os_error)
        case aiohttp.TooManyRedirects():
            return "it redirects too often"
        case aiohttp.RedirectClientError() | aiohttp.InvalidURL():
            return "it redirects to something that is no URL of HTTP"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer broke off, or cannot be decompressed"
        case aiohttp.ClientResponseError():
            return "the answer is no HTTP"
        case ssl.SSLError():
            return _tls(error)
        case OSError():
            return _system(error)
        case _:
            return f"the request cannot be sent ({type(error).__name__})"


def _certificate(error: Exception) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not accepted"
    if error.verify_code == _OTHER_NAME:
        return "the server's certificate is for another name"
    return f"the server's certificate is not accepted: {error.verify_message}"


def _tls(error: Exception) -> str:
    kind = getattr(error, "reason", None)
    return f"no TLS connection ({kind.lower().replace('_', ' ')})" if isinstance(kind, str) else "no TLS connection"


def _system(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no connection"
