"""The headers that say who calls, for both transports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serinus.kube.errors import Forbidden

if TYPE_CHECKING:
    from serinus.kube.config import Connection

MOST_TOKEN = 1 << 20
"""Bytes of a token file that are read. Servers take headers of some 10 KB."""


def identity(connection: Connection, token: str) -> list[tuple[str, str]]:
    """`token`: the one that counts now; empty for user and password, if any.

    Forbidden for what no header may hold. The message never has the value: it may be a secret.
    """
    headers = list(connection.impersonate)
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    elif connection.username:
        import base64

        both = base64.b64encode(f"{connection.username}:{connection.password}".encode()).decode()
        headers.append(("Authorization", f"Basic {both}"))
    for name, value in headers:
        if not value.isprintable() and not all(" " <= sign <= "~" or sign >= "\xa0" for sign in value):
            what = "the token" if name == "Authorization" else f"the name for {name}"
            raise Forbidden(
                401,
                "Unauthorized",
                f"{what} holds a control character, such as a line break. Correct it in the kubeconfig.",
            )
    return headers


def token_of(file: str, held: str = "") -> str:
    """The content of a token file, without blanks around it. `held`: what was read before, for a file that is gone now.

    Forbidden if there is none.
    """
    try:
        with open(file, "rb") as opened:
            found = opened.read(MOST_TOKEN + 1)
    except OSError as error:
        if held:
            return held
        raise _bad(file, f"cannot be read: {error.strerror}") from error
    if len(found) > MOST_TOKEN:
        raise _bad(file, f"has more than {MOST_TOKEN} bytes")
    return found.decode("utf-8", "surrogateescape").strip()


def _bad(file: str, why: str) -> Forbidden:
    return Forbidden(401, "Unauthorized", f"the token file {file} {why}. Check tokenFile in the kubeconfig.")
