"""Holds the API server's listening socket while `serinus up` is away.

Run as a program of its own (`python keeper.py FD`, in the instance's directory): it keeps the socket open and gives it
to whoever asks on `keeper.sock` beside it; only the owner of the directory can. So a client that connects while `up` is
started again after a crash waits for a moment instead of being refused. That matters most for the gateway: a client-go
watch that is refused rests longer each time, up to a minute, in which weights and pods would change behind its back.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

SOCKET = "keeper.sock"


def main() -> None:
    kept = int(sys.argv[1])
    with suppress(FileNotFoundError):
        os.unlink(SOCKET)
    # A relative name: the directory's own may be longer than the 108 bytes that an address can hold.
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(SOCKET)
        os.chmod(SOCKET, 0o600)
        door.listen()
        while True:
            visitor, _ = door.accept()
            with visitor, suppress(OSError):
                socket.send_fds(visitor, [b"."], [kept])


if __name__ == "__main__":
    main()
