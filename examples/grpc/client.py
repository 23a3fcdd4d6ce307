"""Calls /tally.Tally/Version and counts the versions: client.py GATEWAY_HOST:PORT CALLS. Needs the package `grpcio`."""

import sys
from collections import Counter

import grpc

address, calls = sys.argv[1:]
with grpc.insecure_channel(address, options=[("grpc.default_authority", "tally.test")]) as channel:
    version = channel.unary_unary("/tally.Tally/Version")
    for name, count in sorted(Counter(version(b"", timeout=10).decode() for _ in range(int(calls))).items()):
        print(name, count)
