"""The authentication headers, for both transports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serinus.kube.errors import Forbidden

if TYPE_CHECKING:
    from serinus.kube.configuration.config import Connection

MOST_TOKEN = 1 << 20
"""Maximum bytes to read from a token file. Servers accept headers of some 10 KB."""


def identity(connection: Connection, token: str) -> list[tuple[str, str]]:
    """`token`: the current one; empty for user and password, if any.

    Forbidden if a value is not valid in a header. The message omits the value, which may be a secret.
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
    """The content of a token file, stripped. `held`: the previous content, for a file that no longer exists.

    Forbidden if there is none.
    """
    try:
        with open(file, "rb") as opened:
            content = opened.read(MOST_TOKEN + 1)
    except OSError as error:
        if held:
            return held
        raise _bad(file, f"cannot be read: {error.strerror}") from error
    if len(content) > MOST_TOKEN:
        raise _bad(file, f"has more than {MOST_TOKEN} bytes")
    return content.decode("utf-8", "surrogateescape").strip()


def _bad(file: str, why: str) -> Forbidden:
    return Forbidden(401, "Unauthorized", f"the token file {file} {why}. Check tokenFile in the kubeconfig.")
