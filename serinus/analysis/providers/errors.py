"""The error of providers."""

from __future__ import annotations


class ProviderError(Exception):
    """A failed measurement. Its text becomes the message.

    `own`: the controller's words, from the metric without secrets. `foreign`: the end of the text, from a server, a
    library or a plugin. It may contain any part of the request. `status`: the HTTP status of an answer whose body
    cannot be read; 0 without one. `lasting`: the same request fails again, as with an invalid certificate.
    """

    status: int = 0
    lasting: bool = False

    def __init__(self, own: str, foreign: object = "") -> None:
        self.own, self.foreign = own, str(foreign)
        super().__init__(own + self.foreign)


UNREADABLE = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError)
"""The exceptions of reading a response with an unexpected structure."""
