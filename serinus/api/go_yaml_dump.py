"""YAML that Kubernetes' tools read back as it was: text that they would take for a number or a truth is quoted.

PyYAML quotes what PyYAML would misread. `1e3`, `0o14` and `y` are text for it, and none for kubectl.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from serinus.api.go_scalars import resolved


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Every value is written out."""
        return True


def _text(dumper: Any, text: str) -> Any:
    plain = isinstance(resolved(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else "'")


_Dumper.add_representer(str, _text)


def dump(value: Any, *, sort_keys: bool = False) -> str:
    """One document of JSON values."""
    return dump_all([value], sort_keys=sort_keys)


def dump_all(values: Iterable[Any], *, sort_keys: bool = False) -> str:
    """Documents, with `---` between them."""
    return yaml.dump_all(values, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, default_flow_style=False)
