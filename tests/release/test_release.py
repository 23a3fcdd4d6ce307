"""`make release`: it refuses a tree that is no release, and its files can be verified with the key of the user."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

import serinus
from tests.support.instance.live import REPOSITORY
from tests.support.release.image import NoImage, tools
from tests.support.release.package import copied, tracked

VERSION = serinus.__version__
SECTION = f"## [{VERSION}] - 2026-01-31"
UNRELEASED = "## [Unreleased]"


def git(place: Path, *words: str) -> str:
    who = [
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@localhost",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    ]
    done = subprocess.run(
        ["git", "-C", str(place), *who, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose only commit can be released."""
    try:
        tracked()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a release is made from a git checkout, and this is none, or git is not installed")
    place = tmp_path / "checkout"
    place.mkdir()
    copied(place)
    log = place / "CHANGELOG.md"
    log.write_text(log.read_text().replace(UNRELEASED, f"{UNRELEASED}\n\n{SECTION}", 1))
    git(place, "commit", "-q", "-a", "-m", "release")
    return place


def release(checkout: Path, *flags: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, str(checkout / "tools" / "release.py"), *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500)


def refusal(checkout: Path, *flags: str) -> str:
    done = release(checkout, *(flags or ("--unsigned",)))
    assert (done.returncode, done.stdout) == (1, "")
    assert not (checkout / "dist").exists()
    (line,) = done.stderr.splitlines()
    return line


def test_a_changed_tree_is_refused_and_so_is_a_file_that_is_not_committed(checkout: Path) -> None:
    (checkout / "new.txt").write_text("")
    said = "Error: the tree differs from its commit: new.txt. Commit or remove the changes"
    assert refusal(checkout) == said
    (checkout / "README.md").write_text("")
    assert refusal(checkout) == said.replace("new.txt", "README.md and 1 more")


def test_a_version_without_its_section_in_the_changelog_is_refused(checkout: Path) -> None:
    log = checkout / "CHANGELOG.md"
    log.write_text(log.read_text().replace(SECTION, f"## [{VERSION}]"))
    git(checkout, "commit", "-q", "-a", "-m", "no date")
    assert refusal(checkout) == (
        f"Error: CHANGELOG.md has no section of version {VERSION}: add `## [{VERSION}] - YYYY-MM-DD` above its changes"
    )


def test_a_version_that_has_a_tag_is_refused(checkout: Path) -> None:
    git(checkout, "tag", f"v{VERSION}")
    assert refusal(checkout) == f"Error: the tag v{VERSION} exists already: set the next version in serinus/__init__.py"


def test_no_key_and_a_key_that_is_not_there_are_refused(checkout: Path) -> None:
    assert refusal(checkout, "--architectures", "") == (
        "Error: no key signs the checksums: make release MINISIGN_KEY=FILE, or GPG_KEY=ID"
    )
    absent = str(checkout / "absent.key")
    assert refusal(checkout, "--minisign-key", absent) == f"Error: there is no key {absent}: make one with minisign -G"


def test_the_files_can_be_verified_with_a_key_of_gpg(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the images, which the long test has."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("g")  # a short path: gpg's agent listens on a socket there
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    new = [
        "gpg",
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-generate-key",
        "test@localhost",
        "ed25519",
        "sign",
        "1d",
    ]
    try:
        subprocess.run(new, check=True, capture_output=True, timeout=60)
        done = release(checkout, "--gpg-key", "test@localhost", "--architectures", "")
        assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr
        dist = checkout / "dist"
        verified(dist)
        assert {path.name for path in dist.iterdir()} == {
            f"serinus-{VERSION}.tar.gz",
            f"serinus-{VERSION}-py3-none-any.whl",
            f"serinus-chart-{VERSION}.tgz",
            "SHA256SUMS",
            "SHA256SUMS.asc",
        }
        check = ["gpg", "--verify", str(dist / "SHA256SUMS.asc"), str(dist / "SHA256SUMS")]
        assert subprocess.run(check, capture_output=True, check=False, timeout=60).returncode == 0
        (dist / "SHA256SUMS").write_text("other\n")
        assert subprocess.run(check, capture_output=True, check=False, timeout=60).returncode == 1
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, timeout=60)
    with tarfile.open(dist / f"serinus-chart-{VERSION}.tgz") as chart:
        names = {name for name in tracked() if name.startswith("install/helm/serinus/")}
        assert set(chart.getnames()) == {name.removeprefix("install/helm/") for name in names}
        crds = chart.extractfile("serinus/crds/crds.yaml")
        assert crds is not None
        assert crds.read() == (REPOSITORY / "install/crds/crds.yaml").read_bytes()
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "tag", "--list") == ""


def verified(dist: Path) -> None:
    """All files but the signatures are in SHA256SUMS, with their hashes."""
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=dist, check=True, timeout=60)
    named = {line.split("  ")[1] for line in (dist / "SHA256SUMS").read_text().splitlines()}
    assert named == {path.name for path in dist.iterdir() if not path.name.startswith("SHA256SUMS")}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_all_files_of_a_release_are_made_and_signed_by_minisign(checkout: Path, tmp_path: Path) -> None:
    if shutil.which("minisign") is None:
        pytest.skip("minisign is not installed")
    secret, public = tmp_path / "key", tmp_path / "key.pub"
    subprocess.run(["minisign", "-G", "-W", "-s", str(secret), "-p", str(public)], check=True, capture_output=True)
    try:
        python = str(tools())
    except NoImage as error:
        pytest.skip(f"no image can be built here: {error}")
    done = release(checkout, "--minisign-key", str(secret), "--architectures", "amd64", python=python)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"serinus-{VERSION}-amd64.oci.tar  [\d.]+ MB  sha256:[0-9a-f]{{64}}\n", done.stdout)
    dist = checkout / "dist"
    verified(dist)
    names = {path.name for path in dist.iterdir()}
    assert {f"serinus-{VERSION}-amd64.oci.tar", f"serinus-{VERSION}-amd64.cdx.json", "SHA256SUMS.minisig"} <= names
    check = ["minisign", "-V", "-p", str(public), "-m", str(dist / "SHA256SUMS")]
    assert f"serinus {VERSION}" in subprocess.run(check, capture_output=True, text=True, check=True).stdout


def test_the_public_workflow_builds_by_make_release_and_signs_with_its_own_identity() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "release.yaml").read_text())
    job = workflow["jobs"]["release"]
    assert job["permissions"]["id-token"] == "write"
    commands = "\n".join(step.get("run", step.get("uses", "")) for step in job["steps"])
    assert "make release UNSIGNED=1" in commands
    assert "cosign sign-blob" in commands
    assert 'gh release create "v$VERSION"' in commands
