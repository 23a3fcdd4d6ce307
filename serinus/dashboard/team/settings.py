"""Settings of a team's dashboard, parsed once at the border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serinus.dashboard.team.secrets import Secrets

if TYPE_CHECKING:
    from serinus.dashboard.team.oidc.settings import OidcSettings
    from serinus.dashboard.team.proxy import TrustedProxy

SESSION_SECONDS = 3600.0


class BadSettings(ValueError):
    """A setting cannot be used: a sentence for the user."""


@dataclass(frozen=True)
class TeamSettings:
    """`url`: the address that browsers use, with the root path and without a slash at its end."""

    url: str
    keys: Secrets
    """They seal the cookies. Replicas share them."""
    token: bool = True
    """Whether users may sign in with a bearer token of the cluster."""
    proxy: TrustedProxy | None = None
    oidc: OidcSettings | None = None
    read_only: bool = False
    session_seconds: float = SESSION_SECONDS

    @property
    def host(self) -> str:
        """The Host header of the dashboard's address."""
        return urlsplit(self.url).netloc.lower()

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def root(self) -> str:
        return urlsplit(self.url).path


def checked_url(url: str) -> str:
    """The address without a slash at its end. Raises BadSettings.

    Browsers keep cookies with the attribute Secure only for https, and for the machine itself.
    """
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise BadSettings(
            f"{url!r} is no address of a dashboard: write one such as https://rollouts.example.com/rollouts"
        )
    if parts.scheme == "http" and not local:
        raise BadSettings(f"{url!r} must begin with https://: sessions are not sent over plain HTTP")
    return url.rstrip("/")
