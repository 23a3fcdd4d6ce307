"""The software bill of materials of the image, in CycloneDX: Python's packages by cyclonedx-py, and Debian's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from apt import SUITE, Failed, Pin

PLACE = Path("usr/share/serinus/sbom.cdx.json")
"""In the image."""


def bill_of_materials(site: Path, debian: list[Pin], build: Mapping[str, str], scratch: Path) -> str:
    """The bill as JSON. `site`: the directory with all Python packages. `build`: of Serinus (build.json). Raises Failed."""
    bom = _python(site, scratch)
    (own,) = [component for component in bom["components"] if component["name"] == "serinus"]
    own["type"] = "application"
    own["properties"] = [{"name": f"serinus:{name}", "value": value} for name, value in build.items()]
    bom["metadata"]["component"] = own
    others = [component for component in bom["components"] if component is not own]
    bom["components"] = others + [_component(pin) for pin in debian]
    return json.dumps(bom, indent=1, sort_keys=True) + "\n"


def _python(site: Path, scratch: Path) -> dict[str, Any]:
    """By cyclonedx-py, which asks a Python for its path: the image's may be of another architecture."""
    python = scratch / "python"
    python.write_text(f"#!{sys.executable}\nprint({json.dumps([str(site)])!r})\n")
    python.chmod(0o755)
    program = Path(sys.executable).with_name("cyclonedx-py")
    command = [str(program), "environment", "-S", "--output-reproducible", "--spec-version", "1.6", str(python)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failed(f"{program} is missing: make image installs it from requirements-release.lock") from None
    if done.returncode:
        raise Failed(f"cyclonedx-py: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
    return json.loads(done.stdout)


def _component(pin: Pin) -> dict[str, Any]:
    version = quote(pin.version, safe=".-+~")
    reference = f"pkg:deb/debian/{quote(pin.name, safe='.-+')}@{version}?arch={pin.architecture}&distro={SUITE}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": pin.name,
        "version": pin.version,
        "purl": reference,
        "hashes": [{"alg": "SHA-256", "content": pin.sha256}],
        "licenses": [{"license": {"name": f"see /usr/share/doc/{pin.name}/copyright"}}],
    }
