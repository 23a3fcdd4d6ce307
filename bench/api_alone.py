"""The embedded API server alone: `api_alone.py DIR` prints the path of its kubeconfig when it answers."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path

from serinus.kube.clock import SystemClock
from serinus.local.apiserver.certs import identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.sqlite import open_store
from serinus.local.schema.kinds import Schemas


async def main(directory: Path) -> None:
    stop, clock = asyncio.Event(), SystemClock()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    api = ApiServer(open_store(directory / "objects.db"), Schemas(), clock, rng=random.Random())
    await api.start()
    who = identity(directory / "certificates", clock.now())
    api.token = who.token
    server = HttpsServer(api.handle, who.token, who.ssl_context())
    port = await server.start()
    kubeconfig = directory / "kubeconfig"
    write_kubeconfig(kubeconfig, f"https://127.0.0.1:{port}", who.ca_pem, who.token)
    print(kubeconfig, flush=True)
    await stop.wait()
    await server.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(Path(sys.argv[1])))
