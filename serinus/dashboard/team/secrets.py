"""Secrets in files, such as a mounted Secret, and the sealed values of cookies.

A file has one secret in each line. The first is used, and all are accepted, so a secret is replaced in two steps without
an interruption. A changed file is read again.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

Json = dict[str, Any]

SHORTEST = 32
"""Characters of a secret."""

LONGEST_COOKIE = 3800
"""Bytes of a sealed value. Browsers accept cookies of 4096 bytes, with their name and attributes."""


class BadSecret(Exception):
    """The file has no usable secret: a sentence for the user."""


class TooLong(Exception):
    """The value does not fit into a cookie."""


class Secrets:
    """The secrets of a file, or the given ones."""

    def __init__(self, file: Path | None = None, given: tuple[str, ...] = (), *, shortest: int = SHORTEST) -> None:
        """`shortest`: characters of a secret. Raises BadSecret."""
        self._file, self._read, self._shortest = file, (0, 0), shortest
        self._lines = given if file is None else self._lines_of(file)

    def all(self) -> tuple[str, ...]:
        """The secrets, the one to use first. An unreadable file keeps the former ones."""
        if self._file is not None:
            try:
                found = self._file.stat()
                if (found.st_mtime_ns, found.st_ino) != self._read:
                    self._lines = self._lines_of(self._file)
            except (OSError, BadSecret):
                pass
        return self._lines

    def has(self, given: str) -> bool:
        """Whether it is one of the secrets."""
        held = [hmac.compare_digest(_bytes(given), _bytes(one)) for one in self.all()]
        return any(held)

    def _lines_of(self, file: Path) -> tuple[str, ...]:
        try:
            stat, text = file.stat(), file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSecret(f"{file} cannot be read: {error}. Mount the Secret that it comes from.") from None
        lines = tuple(line.strip() for line in text.splitlines() if line.strip())
        if not lines or min(len(line) for line in lines) < self._shortest:
            raise BadSecret(
                f"{file} must have a secret of at least {self._shortest} characters in each line, such as the output of "
                "`openssl rand -hex 32`."
            )
        self._read = (stat.st_mtime_ns, stat.st_ino)
        return lines


class Sealer:
    """Encrypts and authenticates values for one purpose: a value of another purpose does not open.

    The library takes six megabytes of memory, so it is imported with the first cookie: users who come through a proxy have
    none.
    """

    def __init__(self, secrets: Secrets, purpose: str) -> None:
        self._secrets, self._purpose = secrets, purpose.encode()
        self._made: tuple[tuple[str, ...], MultiFernet] | None = None

    def seal(self, value: Json) -> str:
        """Raises TooLong."""
        sealed = self._cipher().encrypt(msgspec.json.encode(value)).decode()
        if len(sealed) > LONGEST_COOKIE:
            raise TooLong(f"{len(sealed)} bytes, and a cookie has room for {LONGEST_COOKIE}")
        return sealed

    def open(self, sealed: str, now: float) -> Json | None:
        """The value; None if it was not sealed here or its `until` has passed."""
        from cryptography.fernet import InvalidToken

        try:
            value = msgspec.json.decode(self._cipher().decrypt(_bytes(sealed)))
        except (InvalidToken, msgspec.DecodeError):
            return None
        return value if now < float(value.get("until") or 0) else None

    def _cipher(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        secrets = self._secrets.all()
        if self._made is None or self._made[0] != secrets:
            # The secrets are long and random, so one round of a hash makes a key of them.
            keys = [hmac.new(_bytes(secret), self._purpose, sha256).digest() for secret in secrets]
            self._made = secrets, MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
        return self._made[1]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
