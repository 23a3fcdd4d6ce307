"""The signs that clients put before a status word. Source: the command line, section 2 ("Status icons")."""

from __future__ import annotations

_WORDS = {
    "Rollout": {"Progressing": "◌", "Paused": "॥", "Healthy": "✔", "Degraded": "✖"},
    "ReplicaSet": {"Progressing": "◌", "Healthy": "✔", "ReplicaFailure": "✖", "ScaledDown": "•"},
    "Analysis": {
        "Pending": "◷",
        "Running": "◌",
        "Successful": "✔",
        "Failed": "✖",
        "Error": "⚠",
        "Inconclusive": "?",
    },
}
_POD_ICONS = (
    ("◌", ("Init:*", "Pending", "Terminating", "ContainerCreating")),
    ("✔", ("Running", "Completed")),
    ("✖", ("Failed", "InvalidImageName", "CrashLoopBackOff", "Signal:*", "ExitCode:*")),
    ("⚠", ("*Error", "Err*", "ImagePullBackOff", "RegistryUnavailable")),
    ("?", ("Unknown",)),
)


def icon(kind: str, word: str) -> str:
    """The sign of a status word; `kind` is Rollout, ReplicaSet, Analysis (runs, experiments, jobs) or Pod."""
    if kind != "Pod":
        return _WORDS[kind].get(word, " ")
    for sign, patterns in _POD_ICONS:
        if any(_fits(word, pattern) for pattern in patterns):
            return sign
    return " "


def _fits(word: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return word.startswith(pattern[:-1])
    return word.endswith(pattern[1:]) if pattern.startswith("*") else word == pattern
