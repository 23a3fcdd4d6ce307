"""Reasons of the controller's Events about a Rollout, an Experiment or an AnalysisRun, and whether an Event may be dropped.

A kept Event is always written: it reports an abort, a verdict, a promotion, a warning or a command. A routine Event
reports a single write or a step; those of one object share a budget, as client-go's Events do. `commands/event_reasons.py`
has the reasons of users' commands.
"""

from __future__ import annotations

VERDICTS = ("Successful", "Failed", "Error", "Inconclusive")
"""Phases that end an analysis or an experiment."""

KEPT = frozenset(
    {
        "RolloutAborted",
        "RolloutCompleted",
        "RolloutDeleted",
        "SkipSteps",
        "FieldConflict",
        "ReconcileFailed",
        "ReconciliationError",
        "ReplicaSetCreateError",
        "ReplicaSetTemplateRestored",
        "NotificationConfigIgnored",
        "NotificationConfigInvalid",
        "NotificationFailed",
        "WriteRefused",
        "SetAside",
        "TrafficRoutingError",
        *(f"{kind}{verdict}" for kind in ("AnalysisRun", "Metric", "Experiment") for verdict in VERDICTS),
    }
)

ROUTER_WRITES = frozenset(
    {
        "CreatingCanaryIngress",
        "PatchingCanaryIngress",
        "PatchingALBIngress",
        "TargetGroupVerified",
        "Updated VirtualService",
        "UpdatedDestinationRule",
        "TrafficSplitCreated",
        "CanaryMappingWeightUpdate",
    }
)
"""Events that Argo Rollouts' routers record for their writes, including routers that Serinus does not have."""

ROUTINE = frozenset(
    {
        *ROUTER_WRITES,
        "RolloutAddedToInformer",
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "RolloutNotCompleted",
        "RolloutPaused",
        "RolloutResumed",
        "RolloutStepCompleted",
        "ScalingReplicaSet",
        "SwitchService",
        "TrafficWeightUpdated",
        "StepPluginTransition",
        "ExperimentCreated",
        "ExperimentPending",
        "ExperimentRunning",
        "AnalysisRunPending",
        "AnalysisRunRunning",
        "AnalysisRunTerminating",
        "NotificationSent",
        *(f"Template{state}" for state in ("Progressing", "Running", *VERDICTS)),
    }
)


OWN_BUDGET = frozenset({"NotificationSent"})
"""Routine Events that do not use the budget of an object's other Events."""


def never_dropped(reason: str, type_: str) -> bool:
    """Whether the Event is never dropped, such as a Warning or an unknown reason. `type_`: Normal or Warning."""
    return type_ == "Warning" or reason not in ROUTINE
