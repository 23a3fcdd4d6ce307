"""Reads and decompresses the body of a response in pieces, up to a limit."""

from __future__ import annotations

import zlib

import aiohttp

from serinus.analysis.providers.errors import ProviderError

ENCODINGS = "gzip, deflate"
PIECE = 64 * 1024
"""Bytes before and after decompression: a kilobyte may decompress to a megabyte."""

_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


async def body_of(answer: aiohttp.ClientResponse, largest: int) -> bytes:
    """At most `largest` bytes, decompressed. ProviderError for more, and for invalid compression."""
    inflated = _Inflated(answer.headers.get("Content-Encoding", "").strip().lower())
    pieces: list[bytes] = []
    size = 0
    async for received in answer.content.iter_chunked(PIECE):
        for at in range(0, len(received), PIECE):
            rest = received[at : at + PIECE]
            while rest:
                piece, rest = inflated.next(rest)
                size += len(piece)
                if size > largest:
                    answer.close()
                    raise ProviderError(f"the answer is larger than {largest} bytes: ask for less")
                pieces.append(piece)
    inflated.check()
    return b"".join(pieces)


class _Inflated:
    """`encoding`: as the header names it."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("", "identity", *_WINDOW):
            raise ProviderError(f"the answer is compressed in a way that was not asked for: use {ENCODINGS}")
        self._encoding, self._begun = encoding, False
        self._inflater = zlib.decompressobj(_WINDOW[encoding]) if encoding in _WINDOW else None

    def next(self, data: bytes) -> tuple[bytes, bytes]:
        """(a piece, the rest of the data)."""
        if self._inflater is None:
            return data, b""
        if self._encoding == "deflate" and not self._begun and data[0] & 0x0F != 8:
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)  # many servers leave the header out
        self._begun = True
        try:
            piece = self._inflater.decompress(data, PIECE)
        except zlib.error:
            raise ProviderError("the answer cannot be decompressed") from None
        if self._inflater.eof and self._inflater.unused_data:
            rest, self._inflater = self._inflater.unused_data, zlib.decompressobj(_WINDOW[self._encoding])
            return piece, rest  # gzip may have several members
        return piece, b"" if self._inflater.eof else self._inflater.unconsumed_tail

    def check(self) -> None:
        """ProviderError if the end is missing."""
        if self._inflater is not None and self._begun and not self._inflater.eof:
            raise ProviderError("the answer broke off")
