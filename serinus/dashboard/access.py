"""Access control of the dashboard: which requests may read and which may change something.

The server listens on 127.0.0.1, so the threats are other pages in the user's browser and other users of the machine:

- An attacker's host name may resolve to 127.0.0.1 (DNS rebinding): the Host header must be one of the dashboard's.
- Another page may send requests here: a foreign Origin is refused. Without CORS headers its scripts cannot read a
  response.
- Each change needs the token that the command printed: as a bearer token, or as the session cookie that the URL with
  the token sets. A cookie counts only with the dashboard's own Origin: ports of one host share cookies and SameSite.

The session is derived from the token, so it survives a restart that keeps the token. Nothing is stored.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

NONE = "'none'"

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def policy(scripts: Iterable[str] = (), styles: Iterable[str] = ()) -> str:
    """The content security policy. `scripts`, `styles`: hashes of those inside the page; there are no others."""
    sources = f"script-src {' '.join(scripts) or NONE}; style-src {' '.join(styles) or NONE}"
    return (
        f"default-src {NONE}; {sources}; img-src 'self' data:; connect-src 'self'; "
        f"base-uri 'self'; form-action {NONE}; frame-ancestors {NONE}"
    )


HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Denied(Exception):
    """The request is refused: HTTP status, and a sentence with the fix."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request that are checked. Header values; empty if not sent."""

    method: str
    host: str
    origin: str = ""
    authorization: str = ""
    cookie: str = ""
    """The session cookie's value."""


@dataclass(frozen=True)
class Access:
    token: str = field(repr=False)
    hosts: frozenset[str]
    """The dashboard's own Host headers, with the port: `localhost:3100`."""
    read_only: bool = False
    private: bool = False
    """Reading needs the token too."""

    @property
    def session(self) -> str:
        """The value of the session cookie."""
        return hmac.new(self.token.encode(), b"session", sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(_bytes(given), _bytes(self.token))

    def signed_in(self, asked: Asked) -> bool:
        """Whether the request carries the token or its session cookie."""
        return self._bearer(asked) or hmac.compare_digest(_bytes(asked.cookie), _bytes(self.session))

    def check(self, asked: Asked, *, public: bool = False) -> None:
        """Raises Denied if the request is refused. `public`: the page's own files, which contain no data."""
        if asked.host.lower() not in self.hosts:
            raise Denied(
                421,
                f"This dashboard does not answer for the host {asked.host[:100]!r}. "
                "Open it at the address that it printed, or start it with --allow-host.",
            )
        if asked.origin and not self._own_origin(asked):
            raise Denied(403, f"A page of {asked.origin[:100]} may not ask this dashboard for anything.")
        if asked.method not in SAFE:
            self._check_change(asked)
        elif self.private and not public and not self.signed_in(asked):
            raise Denied(401, "Open the dashboard at the address that it printed, with its token.")

    def _check_change(self, asked: Asked) -> None:
        if self.read_only:
            raise Denied(403, "This dashboard is read-only: it was started with --read-only.")
        if self._bearer(asked):
            return
        if not self.signed_in(asked):
            raise Denied(
                401,
                "Changing something takes the token: open the dashboard at the address that it printed, "
                "or send the token as 'Authorization: Bearer TOKEN'.",
            )
        if not asked.origin:
            raise Denied(403, "A change with the session cookie must come from the dashboard's own page.")

    def _bearer(self, asked: Asked) -> bool:
        scheme, _, given = asked.authorization.partition(" ")
        return scheme.lower() == "bearer" and self.is_token(given.strip())

    def _own_origin(self, asked: Asked) -> bool:
        return asked.origin.lower() in {f"http://{asked.host.lower()}", f"https://{asked.host.lower()}"}


def _bytes(text: str) -> bytes:
    """Header values may contain bytes that are not text."""
    return text.encode("utf-8", "surrogateescape")
