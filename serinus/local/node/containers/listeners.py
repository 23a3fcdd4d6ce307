"""Finds the owner of a listening port: a program that listens on all addresses also answers on a pod's address.

Read from /proc/net/tcp, only once an address answers. Without it (macOS), every answer counts.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_LISTEN = "0A"


def listening() -> list[tuple[str, int, str]]:
    """(address, port, inode) of each listening TCP socket; 0.0.0.0 for wildcard addresses."""
    sockets: list[tuple[str, int, str]] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN:
                address, _, port = fields[1].partition(":")
                sockets.append((_address(address), int(port, 16), fields[9]))
    return sockets


def forbidden(ip: str, ports: Iterable[int]) -> list[int]:
    """The given ports on which this user may not listen: the low ones, unless the user is root."""
    return [port for port in ports if 0 < port < 1024 and _is_forbidden(ip, port)]


def _is_forbidden(ip: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((ip, port))
        except OSError as error:
            return error.errno == errno.EACCES
    return False


def _address(text: str) -> str:
    words = [struct.pack("=I", int(text[i : i + 8], 16)) for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    return "0.0.0.0" if address.is_unspecified else str(address)


def is_own(ip: str, port: int, session: int) -> bool:
    """Whether the listener on this port and address belongs to the container with this process session.

    A listener on exactly this address belongs to the container, since no other one gets the address. A listener on all
    addresses must be one of its processes.
    """
    sockets = listening()
    if not sockets or any((a, p) == (ip, port) for a, p, _ in sockets):
        return True
    wild = {inode for a, p, inode in sockets if a == "0.0.0.0" and p == port}
    return bool(wild & _inodes_of(session))


def _inodes_of(session: int) -> set[str]:
    inodes: set[str] = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            if int(stat[3]) != session:
                continue
            for fd in os.listdir(f"/proc/{entry}/fd"):
                target = os.readlink(f"/proc/{entry}/fd/{fd}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        except (OSError, IndexError, ValueError):
            continue
    return inodes
