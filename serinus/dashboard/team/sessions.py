"""Sessions in cookies alone: sealed, so that every replica with the same keys knows them, and none stores any.

The prefix `__Host-` makes browsers refuse such a cookie from another host of the domain, from plain HTTP, or for a part
of the paths. Each sign-in makes a new value; nothing that the browser sent before becomes a session.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from serinus.dashboard.identity.who import Identity
from serinus.dashboard.team.secrets import Json, Sealer
from serinus.kube.clock import Clock


def cookie_name(kind: str, root: str) -> str:
    """`kind`: `session` or `sign-in`. Two dashboards of one host have different root paths."""
    return f"__Host-serinus-{kind}{root.replace('/', '-')}"


def set_sealed(answer: web.StreamResponse, name: str, value: str, seconds: float) -> None:
    # Lax, not Strict: a link from a chat, and the provider's redirect, come with the cookie. Changes check the Origin.
    answer.set_cookie(name, value, httponly=True, secure=True, samesite="Lax", path="/", max_age=int(seconds))


def drop(answer: web.StreamResponse, name: str) -> None:
    answer.del_cookie(name, path="/", secure=True, httponly=True, samesite="Lax")


@dataclass
class Sessions:
    sealer: Sealer
    clock: Clock
    root: str
    seconds: float

    @property
    def name(self) -> str:
        return cookie_name("session", self.root)

    def of(self, request: web.Request) -> Identity | None:
        """The user of the request's session; None without a valid one."""
        sealed = request.cookies.get(self.name, "")
        value = self.sealer.open(sealed, self.clock.now()) if sealed else None
        return _identity(value) if value else None

    def begin(self, answer: web.StreamResponse, who: Identity) -> None:
        """Signs the user in. Raises TooLong."""
        value: Json = {"way": who.way, "user": who.user, "groups": who.groups, "token": who.token}
        until = min(self.clock.now() + self.seconds, who.until)
        set_sealed(answer, self.name, self.sealer.seal({**value, "until": until}), until - self.clock.now())

    def end(self, answer: web.StreamResponse) -> None:
        drop(answer, self.name)


def _identity(value: Json) -> Identity:
    return Identity(value["way"], value["user"], tuple(value["groups"]), value["token"], float(value["until"]))
