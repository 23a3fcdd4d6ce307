"""The site of the documentation: every page is in it, every link resolves, and it needs no other site."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.support.instance.live import REPOSITORY
from tests.support.release.site import anchors, navigation, tool

START = REPOSITORY / "docs" / "start"
RUN_BY = {
    "make demo": "tests/e2e",
    "make setup": "every run of the tests",
    "export PATH=$PWD/.venv/bin:$PATH": "every run of the tests",
    "serinus up -d": "tests/e2e",
    "serinus down": "tests/e2e",
    "make image": "tests/release/test_image.py",
    "serinus doctor": "tests/cli/test_doctor.py",
    "serinus upgrade --check": "tests/cli/test_upgrade.py",
    "kubectl argo rollouts list rollouts --all-namespaces": "tests/cli/test_recorded.py",
    "kubectl rollout status deployment/argo-rollouts -n argo-rollouts": "tests/cluster",
    "serinus install --image REGISTRY/serinus:0.1.0 | kubectl apply --server-side --force-conflicts -f -": "tests/cluster",
}
"""Commands of the first pages that no example has, and the tests that run them, or the same with another name."""


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(navigation()) == sorted(str(page) for page in tool("stage").pages())


def test_every_link_of_a_page_leads_to_a_file_and_a_heading_of_the_repository() -> None:
    stage = tool("stage")
    stage.linked()  # raises Broken for a file that is missing
    wrong: list[str] = []
    for page in stage.pages():
        for target in stage.links((REPOSITORY / page).read_text()):
            name, _, anchor = target.partition("#")
            path = REPOSITORY / page.parent / name if name else REPOSITORY / page
            if anchor and anchor not in anchors(path):
                wrong.append(f"{page}: {target}")
    assert wrong == []


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    stage = tool("stage")
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "tests/recordings/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# Page\n`[no link](x.md)`\n")
    (tmp_path / "README.md").write_text("[gone](docs/gone.md#part)\n")
    with pytest.raises(stage.Broken, match=r"README.md links to docs/gone.md#part, which is no file"):
        stage.linked(tmp_path)


def test_each_command_of_the_first_pages_is_run_by_a_test() -> None:
    """An example's commands are typed by tests/e2e, in the order of its README."""
    examples = {line for page in (REPOSITORY / "examples").rglob("README.md") for line in page.read_text().splitlines()}
    lines = [
        line
        for page in sorted(START.glob("*.md"))
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.M | re.S)
        for line in block.splitlines()
    ]
    assert len(lines) > 20
    folders = {f"cd {path.relative_to(REPOSITORY)}" for path in (REPOSITORY / "examples").iterdir()}
    assert [line for line in lines if line not in examples | folders | set(RUN_BY)] == []


def test_lists_after_a_line_of_text_are_lists() -> None:
    text = "Text:\n- a\n  more of a\n- b\n\n```\nx\n- no list\n```\n"
    assert tool("hooks").lists_apart(text) == text.replace("Text:\n", "Text:\n\n")


@pytest.fixture(scope="module")
def site() -> Path:
    """The site, as `make docs` builds it."""
    done = subprocess.run(["make", "-C", str(REPOSITORY), "docs"], capture_output=True, text=True, check=False)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("the package registry does not answer here")
    assert done.returncode == 0, done.stdout + done.stderr
    return REPOSITORY / "build" / "site"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_site_is_built_without_a_warning_and_asks_no_other_site(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= len(navigation())
    loaded = re.compile(r"<(?:script|img|iframe)[^>]*\ssrc=\"?https?:|<link[^>]*rel=\"?stylesheet[^>]*href=\"?https?:")
    assert [str(page) for page in pages if loaded.search(page.read_text())] == []


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_search_works_on_a_page_that_is_opened_as_a_file(site: Path) -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here: apt-get install chromium, or name one in $CHROMIUM, to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "docs" / "versions.html").as_uri())
        page.locator(".md-search__input").click()
        page.keyboard.type("scaleDownDelaySeconds")
        found = page.locator(".md-search-result__link")
        found.first.wait_for(timeout=60_000)
        assert any("rollout.html" in (link.get_attribute("href") or "") for link in found.all())
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        browser.close()
