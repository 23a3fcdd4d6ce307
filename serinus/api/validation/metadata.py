"""Validation of labels and annotations that a Rollout's spec puts on other objects.

Argo Rollouts does not check these, and repeats the refused write forever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serinus.api.meta import LabelSelector
from serinus.api.names import HASH
from serinus.api.rollout import PodMetadata, RolloutSpec
from serinus.api.validation.findings import Finding, invalid
from serinus.api.values.label_rules import label_key, labels

_PATH = "spec.strategy"
_REPEATED = (
    "is a label of the Rollout's selector: a label by role comes and goes while the pod runs, and a pod that the selector does not "
    "match is lost; take another key"
)
_LONGEST = 256 * 1024
"""Bytes of all annotations of an object together."""


def role_metadata_findings(spec: RolloutSpec, selector: LabelSelector | None) -> Iterator[Finding]:
    """Errors in canaryMetadata, stableMetadata, previewMetadata and activeMetadata."""
    canary, blue_green = spec.strategy.canary, spec.strategy.blue_green
    if canary is not None:
        yield from _role(f"{_PATH}.canaryMetadata", canary.canary_metadata, selector)
        yield from _role(f"{_PATH}.stableMetadata", canary.stable_metadata, selector)
    if blue_green is not None:
        yield from _role(f"{_PATH}.previewMetadata", blue_green.preview_metadata, selector)
        yield from _role(f"{_PATH}.activeMetadata", blue_green.active_metadata, selector)


def annotation_findings(path: str, given: Mapping[str, str]) -> Iterator[Finding]:
    for key in given:
        yield from label_key(path, key.lower())
    size = sum(len(key.encode()) + len(value.encode()) for key, value in given.items())
    if size > _LONGEST:
        yield Finding(path, f"{path}: Too long: may not be more than {_LONGEST} bytes")


def _role(path: str, metadata: PodMetadata | None, selector: LabelSelector | None) -> Iterator[Finding]:
    if metadata is None:
        return
    yield from labels(f"{path}.labels", metadata.labels)
    yield from annotation_findings(f"{path}.annotations", metadata.annotations)
    selected = {HASH}
    if selector is not None:
        selected |= set(selector.match_labels) | {r.key for r in selector.match_expressions}
    for key in metadata.labels:
        if key in selected:
            yield invalid(f"{path}.labels", key, _REPEATED)
