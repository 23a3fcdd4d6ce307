"""The reason of a failed request, in words without content of the request.

The errors of the HTTP client quote the request: a URL with its query, a header. So only their kind is used, never
their text.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp

_OTHER_NAME = 62
"""X509_V_ERR_HOSTNAME_MISMATCH: OpenSSL's text for it quotes the name."""


_WORDS: tuple[tuple[type[Exception], Callable[[Any], str]], ...] = (
    (aiohttp.ClientConnectorDNSError, lambda _: "the name of the host cannot be resolved"),
    (aiohttp.TooManyRedirects, lambda _: "it redirects too often"),
    (aiohttp.RedirectClientError, lambda _: "it redirects to something that is no URL of HTTP"),
    (aiohttp.InvalidURL, lambda _: "it redirects to something that is no URL of HTTP"),
    (aiohttp.ServerDisconnectedError, lambda _: "the server closed the connection without an answer"),
    (aiohttp.ClientPayloadError, lambda _: "the answer broke off, or cannot be decompressed"),
    (aiohttp.ClientConnectorCertificateError, lambda error: _certificate(error.certificate_error)),
    (aiohttp.ClientConnectorSSLError, lambda error: _tls(error.os_error)),
    (aiohttp.ClientConnectorError, lambda error: _system(error.os_error)),
    (aiohttp.ClientHttpProxyError, lambda error: f"the proxy answered {error.status}"),
    (aiohttp.ClientResponseError, lambda _: "the answer is no HTTP"),
    (ssl.SSLCertVerificationError, lambda error: _certificate(error)),
    (ssl.SSLError, lambda error: _tls(error)),
    (OSError, lambda error: _system(error)),
)
"""The words for each kind of error. A class stands before its base classes: the first that fits counts."""


def reason(error: Exception) -> str:
    """The reason, in words for users."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words(error)
    return f"the request cannot be sent ({type(error).__name__})"


_LASTING = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.InvalidURL,
    aiohttp.RedirectClientError,
    aiohttp.TooManyRedirects,
    ssl.SSLCertVerificationError,
)


def is_lasting(error: Exception) -> bool:
    """Whether the same request fails again: certificates and redirects.

    Clients of Argo Rollouts do not retry these either (notifications, section 7).
    """
    return isinstance(error, _LASTING)


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
