"""Every reason for which a Rollout waits: a stable code, its meaning, and the event that ends the wait.

The codes are part of the interface (metric labels, `serinus why`); `deadline` records whether time alone can end the
wait.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitReason:
    code: str
    meaning: str
    ends: str
    deadline: str


INVALID = WaitReason(
    "InvalidSpec", "the spec, or an object that it names, is not valid", "the spec or the object is corrected", "none"
)
WAITING_FOR_REFERENCE = WaitReason(
    "WaitingForReference",
    "the Rollout was written a moment ago and names an object that does not exist yet",
    "the object appears; otherwise the Rollout becomes InvalidSpec",
    "3s",
)
PODS = WaitReason(
    "PodsNotReady",
    "the version has fewer ready pods than the step needs",
    "enough pods are ready",
    "progressDeadlineSeconds",
)
STABLE_SHORT = WaitReason(
    "StableNotReady", "the stable version lacks ready pods for its share of the traffic", "its pods are ready", "none"
)
TRAFFIC = WaitReason(
    "TrafficShifting",
    "the version is the stable one, and requests still go to another",
    "the stable version has the pods to take them all",
    "none",
)
PAUSE_STEP = WaitReason(
    "PauseStep", "a pause step waits for approval", "it is promoted or aborted, or a new version comes", "none"
)
TIMED_PAUSE = WaitReason("TimedPause", "a pause step waits for its duration", "the duration has passed", "duration")
PAUSED = WaitReason("Paused", "spec.paused is true", "spec.paused is set to false", "none")
SCALE_DOWN = WaitReason(
    "ScaleDownDelay",
    "an old version serves until its scale-down delay has passed",
    "the delay has passed",
    "scaleDownDelaySeconds",
)
OLD_PODS = WaitReason("OldPods", "pods of an old version are still there", "they are gone", "none")
ROUTING_FAILED = WaitReason(
    "TrafficRoutingFailed", "the traffic router cannot be written", "the object that it names is corrected", "none"
)
UNCONFIRMED = WaitReason(
    "WeightNotConfirmed",
    "a traffic router does not show that the weight is in force",
    "its objects, or its provider, show the weight",
    "none",
)
ANALYSIS = WaitReason(
    "Analysis",
    "an analysis judges the new version",
    "its run ends: success continues the update, failure aborts it",
    "none",
)
INCONCLUSIVE = WaitReason(
    "Inconclusive",
    "an analysis or experiment could not decide",
    "it is promoted or aborted, or a new version comes",
    "none",
)
EXPERIMENT = WaitReason(
    "Experiment", "an experiment compares versions", "it ends: success continues the update, failure aborts it", "none"
)
PLUGIN = WaitReason(
    "StepPlugin", "a step plugin runs and has not finished", "the plugin reports that it has finished", "none"
)
SERVICE = WaitReason("ServiceSwitch", "a Service moves when the version has ready pods", "its pods are ready", "none")
RESTARTING = WaitReason(
    "Restarting", "pods are restarted one after another", "all pods are younger than restartAt", "none"
)
REFUSED = WaitReason(
    "WriteRefused",
    "the API server refuses a write: a right, a quota, a policy, or a field that is not valid",
    "its cause is removed and the next attempt succeeds, at most a minute later; or a new version comes",
    "progressDeadlineSeconds",
)
CONFLICT = WaitReason(
    "FieldConflict",
    "another writer changes a field back that Serinus sets",
    "the other writer stops; Serinus sets the field again at most a minute later",
    "none",
)
CACHE_NOT_SYNCED = WaitReason(
    "CacheNotSynced",
    "the controller cannot list a kind that the decision needs",
    "the kind can be listed: the right is granted, or the kind is installed",
    "none",
)
SET_ASIDE = WaitReason(
    "SetAside",
    "the controller cannot work on it: it exceeds a limit, or Serinus has an error",
    "it is changed, or the next attempt succeeds, at most five minutes later",
    "none",
)
ABORTED = WaitReason("Aborted", "the update was aborted", "it is retried, or a new version comes", "none")

ALL: tuple[WaitReason, ...] = (
    INVALID,
    WAITING_FOR_REFERENCE,
    PODS,
    STABLE_SHORT,
    TRAFFIC,
    PAUSE_STEP,
    TIMED_PAUSE,
    PAUSED,
    SCALE_DOWN,
    OLD_PODS,
    ROUTING_FAILED,
    UNCONFIRMED,
    ANALYSIS,
    INCONCLUSIVE,
    EXPERIMENT,
    PLUGIN,
    SERVICE,
    RESTARTING,
    ABORTED,
    REFUSED,
    CONFLICT,
    CACHE_NOT_SYNCED,
    SET_ASIDE,
)
