"""Writes the definitions that `serinus up` installs for its gateway, without their descriptions.

    python tools/write_gateway_kinds.py $(go mod download -json MODULE@VERSION | sed -n 's/.*"Dir": "\\(.*\\)".*/\\1/p')

sigs.k8s.io/gateway-api@v1.6.3            serinus/local/gateway_api.json.gz, the standard channel
github.com/traefik/traefik/v3@v3.7.13     serinus/local/traefik_kinds.json.gz

The version of the Gateway API is that of Traefik's client (`go version -m traefik`); each definition names it in `bundle-version`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

TARGETS = Path(__file__).parents[1] / "serinus" / "local" / "traefik"
SOURCES = {
    "config/crd/standard/*.yaml": "gateway_api.json.gz",
    "integration/fixtures/k8s/01-traefik-crd.yml": "traefik_kinds.json.gz",
}
"""Files of a module: file that their definitions go to."""


def definitions(sources: list[Path]) -> list[Any]:
    """The CustomResourceDefinitions of these files. Other objects, such as admission policies, are left out."""
    found: list[Any] = []
    for file in sources:
        found += [each for each in yaml.safe_load_all(file.read_text()) if each]
    return [_undescribed(each) for each in found if each.get("kind") == "CustomResourceDefinition"]


def _undescribed(value: Any) -> Any:
    """Without descriptions. A property of that name is a schema, not a text."""
    if isinstance(value, dict):
        return {k: _undescribed(v) for k, v in value.items() if not (k == "description" and isinstance(v, str))}
    return [_undescribed(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    for source, target in SOURCES.items():
        if sources := sorted(Path(sys.argv[1]).glob(source)):
            text = json.dumps(definitions(sources), separators=(",", ":"))
            (TARGETS / target).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
