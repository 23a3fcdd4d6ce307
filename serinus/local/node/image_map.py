"""The file of `--image-map`: one run's image rules, in the format of `serinus-images`' `images.yaml`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from serinus.local.cannot_run import CannotRun
from serinus.local.node.images import ImageError, ImageRule, read_rules


def read_image_map(file: Path) -> list[ImageRule]:
    """The rules of the file; a relative `workingDir` is relative to the file. Raises CannotRun with the fix."""
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise CannotRun(
            f"--image-map {file} cannot be read: {error.strerror or error}. Name a file that holds a list of rules."
        ) from error
    except UnicodeDecodeError as error:
        raise CannotRun(f"--image-map {file} is not a text in UTF-8: {error}. Save it as UTF-8.") from error
    try:
        rules = read_rules(text, str(file))
    except ImageError as error:
        raise CannotRun(f"--image-map {error.message}.") from error
    if not rules:
        raise CannotRun(
            f'--image-map {file} holds no rules: write one such as `- {{image: "shop/web:*", command: [./web]}}`, '
            "or leave out --image-map."
        )
    return [replace(rule, working_dir=_absolute(rule.working_dir, file.parent)) for rule in rules]


def _absolute(directory: str, base: Path) -> str:
    return str(base / Path(directory).expanduser()) if directory else ""
