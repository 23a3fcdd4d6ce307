"""Settings of the OpenID provider, and the user that the claims of an ID token name. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from serinus.dashboard.access import Denied
from serinus.dashboard.identity.who import BadName, Identity, impersonated
from serinus.dashboard.team.secrets import Secrets
from serinus.dashboard.team.settings import BadSettings

Json = dict[str, Any]
EMAIL = "email"


@dataclass(frozen=True)
class OidcSettings:
    issuer: str
    client_id: str
    secrets: Secrets | None = None
    """The client's secret; None for a public client, which PKCE alone protects."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    user_claim: str = EMAIL
    groups_claim: str = "groups"
    prefix: str = "oidc:"
    """Of the user's name and of each group, as with the API server's own OIDC: so no provider can name a user of another
    origin."""
    groups: frozenset[str] = frozenset()
    """Only these groups are used, without the prefix; all if empty."""

    def user(self, claims: Json) -> Identity:
        """The user that verified claims name. Raises Denied."""
        name = claims.get(self.user_claim)
        if not isinstance(name, str) or not name:
            raise Denied(
                403,
                f"The ID token has no claim {self.user_claim!r}: name another with --oidc-user-claim, or add a scope.",
            )
        if self.user_claim == EMAIL and claims.get("email_verified", True) is not True:
            raise Denied(403, "The provider has not verified your email address, which is your name here.")
        given = claims.get(self.groups_claim) or []
        listed = [given] if isinstance(given, str) else given
        if not isinstance(listed, list) or not all(isinstance(group, str) for group in listed):
            raise Denied(403, f"The claim {self.groups_claim!r} of the ID token is no list of names.")
        accepted = [group for group in listed if not self.groups or group in self.groups]
        try:
            return impersonated("oidc", self.prefix + name, [self.prefix + group for group in accepted if group])
        except BadName as error:
            raise Denied(403, f"The ID token names a user that is not accepted: {error}.") from None


def checked_issuer(issuer: str) -> str:
    """Raises BadSettings if it is no URL of an issuer."""
    parts = urlsplit(issuer)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or parts.query or parts.fragment or parts.scheme not in ("https", "http"):
        raise BadSettings(f"{issuer!r} is no issuer: write its URL, such as https://login.example.com/realms/team")
    if parts.scheme == "http" and not local:
        raise BadSettings(f"the issuer {issuer!r} must begin with https://")
    return issuer
