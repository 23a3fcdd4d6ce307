"""Each canary step has words for users."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.engine.core.step_kinds import step_words

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"setWeight": 0}, "set the weight to 0 %"),
        ({"pause": {}}, "pause until promoted"),
        ({"pause": {"duration": 30}}, "pause for 30s"),
        ({"pause": {"duration": "1h30m"}}, "pause for 1h30m"),
        ({"setCanaryScale": {"matchTrafficWeight": True}}, "scale the canary with its weight"),
        ({"setCanaryScale": {"replicas": 0}}, "scale the canary to 0 pods"),
        ({"setCanaryScale": {"replicas": 1}}, "scale the canary to 1 pod"),
        ({"setCanaryScale": {"weight": 25}}, "scale the canary to 25 %"),
        ({"setHeaderRoute": {"name": "beta"}}, "route by header beta"),
        ({"setMirrorRoute": {"name": "m"}}, "mirror requests m"),
        ({"plugin": {"name": "org/check"}}, "run the plugin org/check"),
        ({"analysis": {"templates": [{"templateName": "a"}, {"templateName": "b"}]}}, "run the analysis a, b"),
        ({"experiment": {}}, "run an experiment"),
        ({}, "unknown step"),
    ],
)
def test_each_step_has_words(step: Json, words: str) -> None:
    assert step_words(step) == words
