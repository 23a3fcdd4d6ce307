"""docs/notifications.md names every service, option and field that there is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import Tls

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
ROWS = {
    row[0].strip(" `"): row
    for row in (line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| `"))
}
UNUSED = {"slack": {"signingSecret", "channels"}}


def names(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize("kind", sorted(SERVICES))
def test_a_row_has_what_the_service_has(kind: str) -> None:
    service, (_, options, part, _) = SERVICES[kind], ROWS[kind]
    told = set(re.findall(r"`([\w_]+)`", options))
    assert told == names(service.Options) - names(Tls) - UNUSED.get(kind, set())
    if not service.section:
        assert part == "-"
    elif kind != "teams-workflows":
        head, _, rest = part.partition(": ")
        assert head.strip("`").removesuffix(".SERVICE") == service.section
        assert set(re.findall(r"`([\w_]+)`", rest)) == names(service.Section)
