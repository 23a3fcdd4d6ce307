"""Holds the API server's listening socket while `serinus up` restarts.

Runs as a separate program (`python keeper.py FD`, in the instance's directory). It keeps the socket open and passes it
to clients of `keeper.sock` in the same directory; only the directory's owner can connect. So a client that connects
while `up` restarts after a crash waits briefly and its connection is not refused. This matters most for the gateway.
After each refused watch, client-go waits longer, up to a minute, and misses changes of weights and pods meanwhile.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

SOCKET = "keeper.sock"


def main() -> None:
    descriptor = int(sys.argv[1])
    with suppress(FileNotFoundError):
        os.unlink(SOCKET)
    # A relative name: the directory's absolute path may exceed the 108 bytes of a socket address.
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(SOCKET)
        os.chmod(SOCKET, 0o600)
        door.listen()
        while True:
            visitor, _ = door.accept()
            with visitor, suppress(OSError):
                socket.send_fds(visitor, [b"."], [descriptor])


if __name__ == "__main__":
    main()
