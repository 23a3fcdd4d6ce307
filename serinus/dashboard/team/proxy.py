"""The way in through an authenticating proxy, which names the user in headers of each request.

The headers count only if the request comes from an address of the proxy and carries the secret that the proxy adds. A
request with such headers from elsewhere is refused, not treated as one without them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from multidict import CIMultiDictProxy

from serinus.dashboard.access import Denied
from serinus.dashboard.identity.who import BadName, Identity, impersonated
from serinus.dashboard.team.secrets import Secrets

SECRET_HEADER = "X-Serinus-Proxy-Secret"

STREAM_SECONDS = 900.0
"""A stream ends after this and the page opens it again, through the proxy, which then checks its own session."""


@dataclass(frozen=True)
class TrustedProxy:
    networks: tuple[IPv4Network | IPv6Network, ...]
    secrets: Secrets
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"
    """Groups, separated by commas."""

    def identity(self, peer: str, headers: CIMultiDictProxy[str], now: float) -> Identity | None:
        """The user that the proxy names; None if the request has none of its headers. Raises Denied."""
        names = (SECRET_HEADER, self.user_header, self.groups_header)
        if not any(name in headers for name in names):
            return None
        if not self._is_trusted(peer):
            raise Denied(403, f"Headers that name a user are not accepted from {peer}: it is no address of the proxy.")
        if any(len(headers.getall(name, ())) > 1 for name in names):
            raise Denied(403, "A header that names the user occurs twice: the proxy must replace it, not add it.")
        if not self.secrets.has(headers.get(SECRET_HEADER, "")):
            raise Denied(403, f"The header {SECRET_HEADER} is missing or wrong: the proxy must set it.")
        groups = [group.strip() for group in headers.get(self.groups_header, "").split(",")]
        try:
            return impersonated("proxy", headers.get(self.user_header, ""), groups, now + STREAM_SECONDS)
        except BadName as error:
            raise Denied(403, f"The proxy names a user that is not accepted: {error}.") from None

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)
