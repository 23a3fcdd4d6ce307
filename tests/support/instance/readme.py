"""A README whose ```sh blocks are typed, one after another, in a copy of its folder.

A ```text block that follows is the output that the README shows: its lines must be in the output, in this order; `…` stands
for anything. `http://127.0.0.1:8080`, or without `http://`, is the gateway's default address; a test replaces it with the real one.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.support.instance.live import REPOSITORY, Instance

ADDRESS = "127.0.0.1:8080"
GATEWAY = f"http://{ADDRESS}"
_BLOCK = re.compile(r"^```(?P<kind>sh|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Readme:
    """`with Readme(...) as readme`: every block must have been typed at the end."""

    def __init__(self, folder: str, instance: Instance, tmp_path: Path, gateway: str = "") -> None:
        """`gateway`: its URL, where it is not that of the instance."""
        self.instance, self.gateway = instance, gateway or instance.status["gateway"]
        self.folder = tmp_path / Path(folder).name
        shutil.copytree(REPOSITORY / folder, self.folder)
        self.blocks = commands((self.folder / "README.md").read_text())

    def __enter__(self) -> Readme:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert kind is not None or not self.blocks, f"never typed: {self.blocks}"

    def type(self, beginning: str) -> str:
        """Type the next block, which must begin so; return its output."""
        block, told = self.blocks.pop(0)
        assert block.startswith(beginning), f"the next block is {block!r}"
        script = "set -euo pipefail\n" + block.replace(GATEWAY, self.gateway).replace(
            ADDRESS, self.gateway.removeprefix("http://")
        )
        script = script.replace("/namespaces/default/", f"/namespaces/{self.instance.namespace}/")
        shape = ".*".join(re.escape(line.strip()) for line in told.strip().splitlines()).replace("…", ".*")
        printed = self.instance.shell(script, self.folder)
        assert re.search(shape, printed, re.DOTALL), f"{block}printed:\n{printed}\nand not:\n{told}"
        return printed


def commands(text: str) -> list[tuple[str, str]]:
    """(sh block, the text block that follows it or "")."""
    found: list[tuple[str, str]] = []
    for block in _BLOCK.finditer(text):
        if block["kind"] == "sh":
            found.append((block["body"], ""))
        elif found:
            found[-1] = (found[-1][0], block["body"])
    return found
