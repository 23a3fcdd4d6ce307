"""Tokens by OAuth2 client credentials (RFC 6749, section 4.4). A new one for each measurement (spec §4)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import quote_plus, urlencode

import msgspec

from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import Http, HttpResponse


class OAuth2(msgspec.Struct, rename="camel"):
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: list[str] = []


async def bearer(
    http: Http, config: OAuth2, *, seconds: float, insecure: bool, shown: str | None = None
) -> dict[str, str]:
    """The header with a new token. ProviderError if the token server gives none.

    The credentials are sent in the header first, and in the body to servers that refuse this. `shown`: the token URL
    for messages.
    """
    hide(config.client_secret)
    answer = await _asked(http, config, in_header=True, seconds=seconds, insecure=insecure, shown=shown)
    if not answer.ok:
        answer = await _asked(http, config, in_header=False, seconds=seconds, insecure=insecure, shown=shown)
    if not answer.ok:
        raise ProviderError(f"oauth2: cannot fetch token: {answer.status}\nResponse: ", answer.text)
    grant = answer.json()
    token = grant.get("access_token") if isinstance(grant, dict) else None
    if not isinstance(token, str) or not token:
        raise ProviderError("oauth2: server response missing access_token")
    hide(token)
    kind = grant.get("token_type") or "Bearer"
    return {"Authorization": f"{'Bearer' if str(kind).lower() == 'bearer' else kind} {token}"}


async def _asked(
    http: Http, config: OAuth2, *, in_header: bool, seconds: float, insecure: bool, shown: str | None
) -> HttpResponse:
    form = {"grant_type": "client_credentials"} | _scope(config.scopes)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if in_header:
        headers["Authorization"] = basic(quote_plus(config.client_id), quote_plus(config.client_secret))
    else:
        form |= {"client_id": config.client_id, "client_secret": config.client_secret}
    body = urlencode(form).encode()
    return await http.request(
        "POST", config.token_url, headers=headers, body=body, seconds=seconds, insecure=insecure, shown=shown
    )


def _scope(scopes: Sequence[str]) -> dict[str, str]:
    return {"scope": " ".join(scopes)} if scopes else {}


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
