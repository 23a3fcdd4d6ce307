"""A network of the tests' own: nothing but a loopback interface, on which a range of addresses for pods is local.

A real API server accepts no loopback address as an endpoint, so pods need others; here they cause no conflict. The thread that
enters it moves there with everything it starts; it comes back at the end, and the network ends with its last process.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

PODS = "10.200.0.0/16"
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of unshare(2)."""
_left_behind = ThreadPoolExecutor(1, "outside")
"""A thread that never leaves its network."""
T = TypeVar("T")


class NoNetwork(Exception):
    """Why there is none here, and how to get one."""


def outside(work: Callable[[], T]) -> T:
    """Does it in the network that was left, where registries can be reached; in this thread when it left none."""
    return work() if _network() == _FIRST else _left_behind.submit(work).result()


def _network() -> str:
    """The network of the calling thread; "" on a system without such networks."""
    try:
        return os.readlink("/proc/thread-self/ns/net")
    except OSError:
        return ""


_FIRST = _network()
"""That of this process at its start."""


@contextmanager
def outer_network() -> Generator[None]:
    """The calling thread is in the network that was left for as long as the block lasts, with everything it starts."""
    if _network() == _FIRST:
        yield
        return
    there, here = (
        os.open(f"/proc/self/task/{thread}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for thread in (outside(threading.get_native_id), threading.get_native_id())
    )
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(here)
    finally:
        os.close(there)
        os.close(here)


def _enter(network: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(network, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "the network that was left cannot be entered again")


def ask_for_network() -> None:
    """Raise NoNetwork where `own_network` is unavailable: call it before minutes of work that would need it."""
    with own_network():
        pass


@contextmanager
def own_network() -> Generator[None]:
    """The calling thread is in a new network for as long as the block lasts. NoNetwork where that cannot be had."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise NoNetwork("a network namespace needs root: run it as root, or give KUBECONFIG of a cluster")
    ip = shutil.which("ip") or "/usr/sbin/ip"
    if not os.path.exists(ip):
        raise NoNetwork("`ip` is not installed: on Debian or Ubuntu, apt-get install iproute2")
    _left_behind.submit(int).result()  # its thread is started here
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(_NEW_NETWORK):
            raise NoNetwork(f"a network namespace cannot be made here: {os.strerror(ctypes.get_errno())}")
        try:
            for command in (["link", "set", "lo", "up"], ["route", "add", "local", PODS, "dev", "lo"]):
                done = subprocess.run([ip, *command], check=False, capture_output=True, text=True)
                if done.returncode:
                    raise NoNetwork(f"`ip {' '.join(command)}` fails in a network namespace: {done.stderr.strip()}")
            yield
        finally:
            _enter(before)
    finally:
        os.close(before)
