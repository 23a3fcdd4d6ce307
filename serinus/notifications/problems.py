"""An error in a configuration, with its position."""

from __future__ import annotations

from typing import Literal

import msgspec


class ConfigurationProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`key`: of the ConfigMap, or the annotation. `field`: within it. `proposal`: the correction."""

    key: str
    message: str
    severity: Literal["error", "warning"] = "error"
    field: str = ""
    proposal: str = ""

    def __str__(self) -> str:
        where = f"{self.key}: {self.field}: " if self.field else f"{self.key}: "
        return where + self.message + (f" ({self.proposal})" if self.proposal else "")


class ConfigurationError(Exception):
    """An invalid key of the configuration. `field`: its position in the value."""

    def __init__(self, message: str, field: str = "", proposal: str = "") -> None:
        super().__init__(message)
        self.message, self.field, self.proposal = message, field, proposal
