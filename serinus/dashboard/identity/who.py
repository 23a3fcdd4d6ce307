"""The identity of a user, as a way in has established it. Pure.

A user with a token acts with that token. Any other user is impersonated, so his name and groups must not be ones that
the API server gives a meaning of its own: those begin with `system:`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from serinus.api.messages.counted import counted

RESERVED = "system:"
LONGEST_NAME = 512
MOST_GROUPS = 500


class BadName(ValueError):
    """The name or a group cannot be impersonated: a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`way`: how the user came in: `token`, `proxy` or `oidc`."""

    way: str
    user: str
    groups: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    """The user's own bearer token; empty: he is impersonated."""
    until: float = float("inf")
    """End of the session, in seconds since the epoch."""
    ambient: bool = True
    """The browser sends the proof with every request (a cookie, or a proxy adds it), so a change must come from the
    own page."""

    @property
    def key(self) -> str:
        """Equal for two requests of the same user with the same rights. It contains no secret."""
        parts = (self.user, *self.groups, sha256(self.token.encode("utf-8", "surrogateescape")).hexdigest())
        return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def impersonated(way: str, user: str, groups: Iterable[str], until: float = float("inf")) -> Identity:
    """A user without a token of his own. Raises BadName."""
    unique_groups = tuple(dict.fromkeys(group for group in groups if group))
    if not user:
        raise BadName("the name of the user is empty")
    if len(unique_groups) > MOST_GROUPS:
        raise BadName(f"the user has {counted(len(unique_groups), 'group')}, and at most {MOST_GROUPS} are accepted")
    for what, name in (("user", user), *(("group", group) for group in unique_groups)):
        if name.startswith(RESERVED):
            raise BadName(
                f"the {what} {name[:100]!r} begins with {RESERVED!r}, which is reserved for the cluster itself"
            )
        # A header loses the spaces around its value, which would make it another name.
        if len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise BadName(f"the {what} {name[:100]!r} is too long, or has control characters or spaces around it")
    return Identity(way, user, unique_groups, until=until)
