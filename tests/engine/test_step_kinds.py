"""Each kind of canary step has one file, which answers every question about it."""

from __future__ import annotations

from pathlib import Path

import serinus
from serinus.api.rollout import CanaryStep, Pause, PluginStep
from serinus.engine.core import step_kinds
from serinus.engine.core.step_kinds import ORDER, deciding, describe, kinds

STEPS = Path(serinus.__file__).parent / "engine" / "strategy" / "steps"


def test_each_field_of_a_step_has_a_kind() -> None:
    assert set(kinds()) == set(CanaryStep.__struct_encode_fields__)
    assert tuple(kinds())[: len(ORDER)] == ORDER


def test_each_kind_has_a_file_of_its_own() -> None:
    files = {type(kind).__module__.rpartition(".")[2] for kind in kinds().values()}
    assert len(files) == len(kinds())
    assert files <= {path.stem for path in STEPS.glob("*.py")}


def test_one_part_decides_about_a_step_with_several() -> None:
    both = CanaryStep(analysis={"templates": []}, plugin=PluginStep("org/check"))
    assert describe(both) == "analysis"
    assert describe(CanaryStep(set_weight=20, plugin=PluginStep("org/check"))) == "setWeight: 20"
    found = deciding(CanaryStep(pause=Pause()))
    assert found == (step_kinds.kinds()["pause"], Pause())
    assert deciding(CanaryStep()) is None
