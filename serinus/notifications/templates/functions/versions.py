"""sprig's functions of semantic versions."""

from __future__ import annotations

from serinus.notifications.templates.functions.function import Call, Table
from serinus.notifications.templates.version_constraints import satisfies
from serinus.notifications.templates.versions import Version, read_version

VERSIONS = Table()


@VERSIONS.add("semver", "s")
def _semver(run: Call, text: str) -> Version:
    run.work.spend_text(len(text))
    return read_version(text)


@VERSIONS.add("semverCompare", "ss")
def _semver_compare(run: Call, constraint: str, version: str) -> bool:
    run.work.spend_text(len(constraint) * 20 + len(version))
    read = read_version(version)
    return satisfies(read, constraint)
