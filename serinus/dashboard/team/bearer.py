"""The way in with a bearer token of the cluster, which the user types or a proxy passes.

The API server says whose token it is: it answers a SelfSubjectReview that carries this token. So the dashboard needs no
right to review tokens, and the API server checks signature, expiry and audience as for any other request.
"""

from __future__ import annotations

import re
from hashlib import sha256

from serinus.api.resources import Resource
from serinus.dashboard.access import Denied
from serinus.dashboard.identity.who import Identity
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError
from serinus.kube.transport import Handler, Request, Response

REVIEWS = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False)
ANONYMOUS = "system:anonymous"

KEPT_SECONDS = 15.0
"""A token that was revoked works this much longer for reading. The API server checks each change at once."""

KEPT = 1024
_TOKEN = re.compile(r"[\x21-\x7e]{8,8192}+")


class Bearers:
    """`nobody`: requests to the API server without a credential."""

    def __init__(self, nobody: Handler, clock: Clock) -> None:
        self._nobody, self._clock = nobody, clock
        self._known: dict[bytes, tuple[float, Identity]] = {}

    async def identity(self, token: str, *, ambient: bool, until: float = float("inf")) -> Identity:
        """The owner of the token. Raises Denied if the API server refuses it, and ApiError if it does not answer."""
        if not _TOKEN.fullmatch(token):
            raise Denied(401, "This is no bearer token: it has other characters than a token may have, or is too long.")
        mark, now = sha256(token.encode()).digest(), self._clock.now()
        at, known = self._known.get(mark, (float("-inf"), None))
        if known is None or now - at >= KEPT_SECONDS:
            self._known.pop(mark, None)
            known = await self._asked(token)
            if len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[mark] = (now, known)
        return Identity("token", known.user, known.groups, token, until, ambient)

    async def _asked(self, token: str) -> Identity:
        async def with_token(request: Request) -> Response:
            headers = {**request.headers, "authorization": f"Bearer {token}"}
            return await self._nobody(Request(request.method, request.path, request.query, headers, request.body))

        try:
            review = {"apiVersion": REVIEWS.api_version, "kind": REVIEWS.kind}
            answer = await Client(with_token, user_agent="serinus-dashboard").create(REVIEWS, review)
        except ApiError as error:
            if error.code == 401:
                raise Denied(401, "The API server refuses this token: it is wrong, revoked or has expired.") from None
            raise
        info = (answer.get("status") or {}).get("userInfo") or {}
        user = str(info.get("username") or "")
        if not user or user == ANONYMOUS:
            raise Denied(401, "The API server does not take this token for anybody's.")
        return Identity("token", user, tuple(str(group) for group in info.get("groups") or ()), token)
