"""`python -m serinus.local.apiserver --data DIR`: runs the API server alone, for development.

Prints the path of the kubeconfig and serves until interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from pathlib import Path

from serinus.kube.clock import SystemClock
from serinus.local.apiserver.certs import Unreadable, identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.sqlite import open_store
from serinus.local.apiserver.storage.store import MemoryStore, StoreError
from serinus.local.schema.kinds import Schemas


async def _serve(data: Path, port: int, kubeconfig: Path, memory: bool) -> None:
    store = MemoryStore() if memory else open_store(data / "objects.db")
    api = ApiServer(store, Schemas(), SystemClock(), rng=random.Random())
    await api.start()
    who = identity(data / "pki", time.time())
    api.token = who.token
    server = HttpsServer(api.handle, who.token, who.ssl_context())
    await server.start(port)
    write_kubeconfig(kubeconfig, f"https://127.0.0.1:{server.port}", who.ca_pem, who.token)
    print(f"ready: kubectl --kubeconfig {kubeconfig} get all", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    api.close()
    await server.close()
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m serinus.local.apiserver", description="The embedded Kubernetes API server alone"
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="directory for objects, certificates and the kubeconfig"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--kubeconfig", type=Path, help="where to write it (default: DATA/kubeconfig)")
    parser.add_argument("--memory", action="store_true", help="keep objects in memory only")
    args = parser.parse_args()
    try:
        import uvloop

        run = uvloop.run
    except ImportError:
        run = asyncio.run
    try:
        run(_serve(args.data, args.port, args.kubeconfig or args.data / "kubeconfig", args.memory))
    except (StoreError, Unreadable, OSError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
