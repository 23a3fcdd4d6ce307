"""The packaged schemas are the tool's output for Kubernetes' own, and are consistent."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from serinus.api.resources import BUILT_IN
from serinus.api.schema import schemas

REPOSITORY = Path(__file__).parents[2]


def test_every_built_in_kind_has_a_schema():
    for r in BUILT_IN:
        assert schemas.definition_name(r.group, r.version, r.kind), r.kind


def test_the_packaged_file_is_what_the_tool_writes(tmp_path: Path):
    """A file changed by hand would come back at the next run of the tool."""
    pytest.importorskip("kubernetes_validate")
    tool = runpy.run_path(str(REPOSITORY / "tools" / "distil_schemas.py"))
    tool["main"](tmp_path / "made.gz")
    packaged = REPOSITORY / "serinus" / "api" / "schema" / "schemas.json.gz"
    assert (tmp_path / "made.gz").read_bytes() == packaged.read_bytes()
