"""Serves the gRPC method /tally.Tally/Version, which returns its version: server.py HOST:PORT VERSION. Needs the package `grpcio`."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

address, version = sys.argv[1:]
method = grpc.unary_unary_rpc_method_handler(lambda request, context: version.encode())
server = grpc.server(ThreadPoolExecutor(4))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tally.Tally", {"Version": method})])
server.add_insecure_port(address)
server.start()
signal.sigwait({signal.SIGTERM, signal.SIGINT})
server.stop(grace=5).wait()  # no new calls; those under way end
