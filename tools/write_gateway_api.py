"""Writes serinus/local/gateway_api.json.gz: the definitions of the Gateway API's standard channel, without their descriptions.

    python tools/write_gateway_api.py $(go mod download -json sigs.k8s.io/gateway-api@v1.6.3 | sed -n 's/.*"Dir": "\\(.*\\)".*/\\1/p')

The version is that of Traefik's client (`go version -m traefik`); each definition names it in `bundle-version`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

TARGET = Path(__file__).parents[1] / "serinus" / "local" / "gateway_api.json.gz"


def definitions(module: Path) -> list[Any]:
    """Of the module's standard channel, by name. Its admission policies are left out."""
    found: list[Any] = []
    for file in sorted((module / "config" / "crd" / "standard").glob("*.yaml")):
        found += [each for each in yaml.safe_load_all(file.read_text()) if each]
    return [_undescribed(each) for each in found if each["kind"] == "CustomResourceDefinition"]


def _undescribed(value: Any) -> Any:
    """Without descriptions. A property of that name is a schema, not a text."""
    if isinstance(value, dict):
        return {k: _undescribed(v) for k, v in value.items() if not (k == "description" and isinstance(v, str))}
    return [_undescribed(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    text = json.dumps(definitions(Path(sys.argv[1])), separators=(",", ":"))
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
