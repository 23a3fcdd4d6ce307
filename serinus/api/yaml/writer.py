"""Writes YAML that Kubernetes' tools read back unchanged. Text that looks like a number or a boolean is quoted.

PyYAML quotes only text that PyYAML would misread. It reads `1e3`, `0o14` and `y` as text, but kubectl does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from serinus.api.messages.visible import visible, visible_yaml
from serinus.api.yaml.scalars import resolved


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Every value is written out."""
        return True


def _text(dumper: Any, text: str) -> Any:
    if visible(text) != text:
        # In double quotes every character can be an escape. libyaml rejects half of a surrogate pair.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return dumper.represent_scalar("tag:yaml.org,2002:str", whole, style='"')
    plain = isinstance(resolved(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else "'")


_Dumper.add_representer(str, _text)


def dump(value: Any, *, sort_keys: bool = False) -> str:
    """One document of JSON values."""
    return dump_all([value], sort_keys=sort_keys)


def dump_all(values: Iterable[Any], *, sort_keys: bool = False) -> str:
    """Documents, with `---` between them. Control characters and bidirectional marks are escaped."""
    written: str = yaml.dump_all(
        values, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, default_flow_style=False
    )
    return visible_yaml(written)
