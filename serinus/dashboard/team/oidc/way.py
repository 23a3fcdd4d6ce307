"""One sign-in with the provider: from the redirect to the provider to the user that comes back.

The values that belong to one sign-in (state, nonce, the verifier of PKCE, the page to open afterwards) are in a sealed
cookie of this browser, for ten minutes. So a code or a state from another browser, or one that was used before, is refused.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from serinus.dashboard.access import Denied
from serinus.dashboard.identity.who import Identity
from serinus.dashboard.team.oidc.provider import Provider
from serinus.dashboard.team.oidc.settings import OidcSettings
from serinus.dashboard.team.secrets import Sealer
from serinus.dashboard.team.sessions import cookie_name, drop, set_sealed
from serinus.kube.clock import Clock

SECONDS = 600.0
AGAIN = "Sign in again."


@dataclass
class OidcWay:
    settings: OidcSettings
    provider: Provider
    sealer: Sealer
    clock: Clock
    url: str
    """The dashboard's address."""

    @property
    def redirect(self) -> str:
        """The address that the provider must know for this client."""
        return redirect_address(self.url)

    async def start(self, back: str) -> tuple[str, Callable[[web.StreamResponse], None]]:
        """(the provider's address, a function that sets the cookie). `back`: a path of this dashboard. Raises Denied."""
        configuration = await self.provider.configuration()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = str(configuration["authorization_endpoint"])
        target = f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"
        sign_in = {"state": state, "nonce": nonce, "verifier": verifier, "back": back}
        sealed = self.sealer.seal({**sign_in, "until": self.clock.now() + SECONDS})
        return target, partial(set_sealed, name=self._cookie, value=sealed, seconds=SECONDS)

    async def finish(self, request: web.Request) -> tuple[Identity, str]:
        """(the user, the path to open). Raises Denied."""
        query = request.query
        sign_in = self.sealer.open(request.cookies.get(self._cookie, ""), self.clock.now())
        if sign_in is None:
            raise Denied(400, f"This sign-in was not begun in this browser, is finished, or took too long. {AGAIN}")
        if not hmac.compare_digest(query.get("state", "").encode(), str(sign_in["state"]).encode()):
            raise Denied(400, f"The provider's answer belongs to another sign-in. {AGAIN}")
        if query.get("iss", self.settings.issuer) != self.settings.issuer:  # RFC 9207
            raise Denied(400, f"The answer comes from another provider. {AGAIN}")
        if "error" in query:
            told = query.get("error_description") or query["error"]
            raise Denied(403, f"The provider did not sign you in: {told[:200]}")
        claims = await self.provider.claims(query.get("code", ""), str(sign_in["verifier"]), str(sign_in["nonce"]))
        return self.settings.user(claims), str(sign_in["back"])

    def forget(self, answer: web.StreamResponse) -> None:
        """Ends this sign-in, whatever its outcome: its state does not count a second time."""
        drop(answer, self._cookie)

    async def end_address(self) -> str:
        """The provider's page for signing out, which leads back; empty if it has none."""
        try:
            address = str((await self.provider.configuration()).get("end_session_endpoint") or "")
        except Denied:
            return ""
        back = {"client_id": self.settings.client_id, "post_logout_redirect_uri": f"{self.url}/auth/sign-in"}
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(back)}" if address else ""

    async def end_origin(self) -> str:
        parts = urlsplit(await self.end_address())
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    @property
    def _cookie(self) -> str:
        return cookie_name("sign-in", urlsplit(self.url).path)


def redirect_address(url: str) -> str:
    """The address to which the provider sends the browser back, for a dashboard at `url`."""
    return f"{url}/auth/callback"
