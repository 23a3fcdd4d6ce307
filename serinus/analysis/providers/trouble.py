"""The one error of providers."""

from __future__ import annotations


class ProviderError(Exception):
    """A measurement that could not be made. Its text becomes the message.

    `own`: the controller's words, made from the metric as people may see it. `said`: the end of the text, where a server, a
    library or a plugin made it. It may hold anything that they were sent.
    """

    def __init__(self, own: str, said: object = "") -> None:
        self.own, self.said = own, str(said)
        super().__init__(own + self.said)


UNREADABLE = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError)
"""What taking an answer apart raises where it has another shape than it should."""
