"""The table of docs/routers/README.md matches the routers' own declarations."""

from __future__ import annotations

import re
from pathlib import Path

from serinus.routing.registry import FIELDS, routers

PAGES = Path(__file__).parents[2] / "docs" / "routers"
ROW = re.compile(r"^\| \[[^\]]+\]\((\S+\.md)\) \| `([^`]+)` \| (.*) \|$", re.M)


def said_of(key: str) -> list[str]:
    """The cells of a router's row."""
    can = routers()[key].capabilities
    header = "no" if not can.header_routes else "exact" if can.exact_headers_only else "yes"
    rest = (can.mirror_routes, can.ping_pong, can.experiments, can.max_weight, can.verifies)
    return [header, *("yes" if each else "no" for each in rest)]


def test_the_table_has_every_router_with_its_page_and_what_it_can_do():
    rows = ROW.findall((PAGES / "README.md").read_text())
    table = {field.removeprefix("plugins."): cells.split(" | ") for _, field, cells in rows}
    assert table == {key: said_of(key) for key in routers()}
    assert list(table) == list(routers()), "in the order in which routers are asked"
    assert all(field == key or field == f"plugins.{key}" for (_, field, _), key in zip(rows, routers(), strict=True))
    assert [page for page, _, _ in rows if not (PAGES / page).is_file()] == []


def test_every_field_of_argo_rollouts_has_a_router():
    assert set(FIELDS) <= set(routers())
