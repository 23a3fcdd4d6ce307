"""The OpenID provider: its configuration, its keys, and the exchange of a code for verified claims.

Source: OpenID Connect Core 1.0, sections 3.1.3 (token request, validation of the ID token), and Discovery 1.0, section 4.
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from serinus.dashboard.access import Denied
from serinus.dashboard.team.oidc.settings import OidcSettings
from serinus.kube.clock import Clock

Json = dict[str, Any]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key pair alone: `none`, and HMAC with a public key as its secret, are never accepted."""

CONFIGURATION_SECONDS = 3600.0
KEYS_SECONDS = 300.0
KEYS_AGAIN_SECONDS = 5.0
"""The keys are read again for an unknown key, but not more often than this."""

LEEWAY_SECONDS = 60
"""Difference between the clocks of the provider and of this machine."""

ANSWER_SECONDS = 10.0
LARGEST = 1 << 20


class Provider:
    """Use it in one event loop. `redirect`: the address to which the provider sends the browser back."""

    def __init__(self, settings: OidcSettings, redirect: str, http: aiohttp.ClientSession, clock: Clock) -> None:
        self._settings, self._redirect, self._http, self._clock = settings, redirect, http, clock
        self._configuration: tuple[float, Json] | None = None
        self._keys: tuple[float, Json] | None = None

    async def configuration(self) -> Json:
        """The provider's metadata. Raises Denied if it is not reachable or not the configured issuer's."""
        now = self._clock.now()
        if self._configuration is None or now - self._configuration[0] >= CONFIGURATION_SECONDS:
            metadata = await self._json("GET", f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if metadata.get("issuer") != self._settings.issuer:
                raise Denied(
                    502,
                    f"The provider calls itself {metadata.get('issuer')!r}, not {self._settings.issuer!r}: correct --oidc-issuer.",
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                self._check_endpoint(name, metadata.get(name))
            self._configuration = (now, metadata)
        return self._configuration[1]

    async def claims(self, code: str, verifier: str, nonce: str) -> Json:
        """The verified claims of the ID token for which the provider exchanges the code. Raises Denied."""
        answer = await self._exchange(code, verifier)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Denied(502, "The provider answered without an ID token: the scope openid is missing.")
        return await self._verified(token, nonce)

    async def _exchange(self, code: str, verifier: str) -> Json:
        settings, configuration = self._settings, await self.configuration()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": settings.client_id,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {}
        if settings.secrets is not None:
            secret = settings.secrets.all()[0]
            methods = configuration.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            if "client_secret_basic" in methods:
                # RFC 6749, section 2.3.1: both are form-encoded first.
                headers["Authorization"] = aiohttp.encode_basic_auth(
                    quote(settings.client_id, safe=""), quote(secret, safe="")
                )
            else:
                form["client_secret"] = secret
        return await self._json("POST", configuration["token_endpoint"], data=form, headers=headers)

    async def _verified(self, token: str, nonce: str) -> Json:
        import jwt

        settings = self._settings
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims: Json = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=settings.client_id,
                issuer=settings.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise Denied(401, f"The ID token of the provider is not accepted: {error}.") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != settings.client_id:
            raise Denied(401, "The ID token was issued to another client.")
        if not hmac.compare_digest(str(claims.get("nonce") or "").encode(), nonce.encode()):
            raise Denied(401, "The ID token belongs to another sign-in. Sign in again.")
        return claims

    async def _key(self, header: Json) -> Any:
        """The key that the token's header names. The keys are read again if it is a new one."""
        import jwt

        if header.get("alg") not in ALGORITHMS:
            raise Denied(401, f"The ID token has the signature {header.get('alg')!r}, which is not accepted.")
        for age in (KEYS_SECONDS, KEYS_AGAIN_SECONDS):
            keys = jwt.PyJWKSet.from_dict(await self._key_set(age)).keys
            usable = [key for key in keys if key.public_key_use in (None, "sig")]
            matching = [key for key in usable if key.key_id == header.get("kid")] if "kid" in header else usable
            if len(matching) == 1:
                return matching[0]
        raise Denied(401, "The ID token is signed with a key that the provider does not publish.")

    async def _key_set(self, age: float) -> Json:
        now = self._clock.now()
        if self._keys is None or now - self._keys[0] >= age:
            self._keys = (now, await self._json("GET", (await self.configuration())["jwks_uri"]))
        return self._keys[1]

    async def _json(self, method: str, url: str, **options: Any) -> Json:
        """The answer's JSON object. Raises Denied for an error or an answer that is none."""
        limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self._http.request(method, url, timeout=limit, allow_redirects=False, **options) as answer:
                status, body = answer.status, b""
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > LARGEST:
                        raise Denied(
                            502, f"The OpenID provider answers at {_place(url)} with more than {LARGEST} bytes."
                        )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Denied(502, f"The OpenID provider does not answer at {_place(url)}: {error or 'in time'}") from None
        try:
            reply = msgspec.json.decode(body)
        except msgspec.DecodeError:
            reply = None
        if status >= 300 or not isinstance(reply, dict):
            told = reply.get("error_description") or reply.get("error") if isinstance(reply, dict) else None
            raise Denied(
                401 if status in (400, 401) else 502,
                f"The OpenID provider refuses the request at {_place(url)} with HTTP {status}: {str(told or 'no reason')[:200]}",
            )
        return reply

    def _check_endpoint(self, name: str, url: object) -> None:
        plain = self._settings.issuer.startswith("http://")
        if not isinstance(url, str) or not url.startswith(("https://", "http://") if plain else "https://"):
            raise Denied(502, f"The provider's {name} must be an https:// address, found {str(url)[:100]!r}.")


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
