"""The page brings its scripts, its styles and the most urgent cards along: one answer, and one user's own view in it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from serinus.api.resources import NAMESPACES
from serinus.dashboard import bundle
from serinus.dashboard.identity import first_screen
from tests.support.dashboard import scenes
from tests.support.dashboard.serving import Serving, serving, shown
from tests.support.dashboard.team_stage import ANA, BEN, team, two_users

FIRST = re.compile(r'<script type="application/json" id="first">(.*?)</script>', re.DOTALL)


def first_of(page: str) -> Any:
    (text,) = FIRST.findall(page)
    return msgspec.json.decode(text)


async def first(stage: Serving, path: str = "") -> Any:
    return first_of((await stage.ask("GET", f"/rollouts/{path}")).text)


async def test_the_first_cards_are_the_most_urgent_ones() -> None:
    async with serving() as stage:
        for name, phase in (("a-calm", "Healthy"), ("b-under-way", "Progressing"), ("c-broken", "Degraded")):
            made = scenes.rollout(name)
            await stage.put({**made, "status": {"phase": phase, "message": ""}})
        await stage.put(scenes.rollout("d-waits-for-a-person"))
        await shown(stage, "a-calm", "b-under-way", "c-broken", "d-waits-for-a-person")
        got = await first(stage)
        assert [row["name"] for row in got["rows"]][:3] == ["c-broken", "d-waits-for-a-person", "b-under-way"]
        assert got["state"]["view"] == "ok"


async def test_an_address_that_asks_for_something_else_gets_no_first_cards() -> None:
    """The browser knows how to filter; here they would be the wrong ones."""
    async with serving() as stage:
        await stage.put(scenes.rollout())
        await shown(stage, "web")
        for path in ("?name=web", "?sort=name", "rollout/default/web", "release/shop"):
            assert await first(stage, path) is None
        assert [row["name"] for row in (await first(stage, "default?displayMode=table"))["rows"]] == ["web"]
        assert (await first(stage, "elsewhere"))["rows"] == []


async def test_the_page_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as stage:
        for number in range(5):
            await stage.put(scenes.rollout(f"web-{number}"))
        await shown(stage, *(f"web-{number}" for number in range(5)))
        every = await first(stage)
        one = max(len(msgspec.json.encode(row)) for row in every["rows"])
        monkeypatch.setattr(first_screen, "MOST_BYTES", 2 * one)
        assert [row["name"] for row in (await first(stage))["rows"]] == ["web-0", "web-1"]


async def test_nothing_that_an_object_holds_is_markup_of_the_page() -> None:
    async with serving() as stage:
        evil = "</script><script>alert(1)</script><!--{{version}}"
        made = scenes.rollout()
        await stage.put({**made, "status": {"phase": "Degraded", "message": evil}})
        await shown(stage, "web")
        page = (await stage.ask("GET", "/rollouts/")).text
        assert first_of(page)["rows"][0]["message"] == evil
        assert "alert(1)</script>" not in page


async def test_each_user_of_a_team_gets_the_cards_of_his_namespaces() -> None:
    async with team(guarded=two_users()) as stage:
        for namespace in ("shop", "pay"):
            await stage.client.create(NAMESPACES, {"metadata": {"name": namespace}})
            made = scenes.rollout()
            await stage.put({**made, "metadata": {**made["metadata"], "namespace": namespace}})
        await stage.ready(2)
        for token, mine, other in ((ANA, "shop", "pay"), (BEN, "pay", "shop")):
            sent: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}, "browser": False}
            for path, expected in (("/", [mine]), (f"/{mine}", [mine]), (f"/{other}", [])):
                page = (await stage.ask("GET", path, **sent)).text
                assert [row["ns"] for row in first_of(page)["rows"]] == expected
                assert f'"ns":"{other}"' not in page


async def test_the_policy_names_the_scripts_and_styles_of_the_page_and_no_other() -> None:
    async with serving() as stage:
        answer = await stage.ask("GET", "/rollouts/")
        policy = answer.headers["Content-Security-Policy"]
        inside = re.findall(r"<(script|style)(?: type=\"module\")?>(.*?)</\1>", answer.text, re.DOTALL)
        assert len(inside) == 3
        hashes = {f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}" for _, text in inside}
        assert set(re.findall(r"sha256-[^']+", policy)) == hashes
        assert "'self'" not in policy.partition("script-src")[2].partition(";")[0]


def test_modules_become_one_script_in_the_order_of_their_imports() -> None:
    modules = {
        "main": 'import { one } from "./one.js";\nconst x = 1;\none(x);\n',
        "one": "// A comment.\nconst x = `kept\n  as it is`;\nexport function one(y) {\n  return x + y;\n}\n",
        "unused": "export const never = 1;\n",
    }
    assert bundle.script(modules, "main") == (
        "const $one = (() => {\nconst x = `kept\n  as it is`;\nfunction one(y) {\nreturn x + y;\n}\nreturn { one };\n})();\n"
        "const $main = (() => {\nconst { one } = $one;\nconst x = 1;\none(x);\nreturn {  };\n})();\n"
    )


@pytest.mark.parametrize(
    "text", ['import * as x from "./one.js";\n', "export default 1;\n", 'import { main } from "./main.js";\n']
)
def test_a_form_that_the_bundle_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"main"):
        bundle.script({"main": text, "one": ""}, "main")
