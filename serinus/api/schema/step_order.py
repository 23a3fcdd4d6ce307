"""How Go writes the steps of a canary: the same kind of table as `pod_template_order.json`, for `CanaryStep`.

The steps' hash is computed from these bytes. Fields: (name, type, when omitted), see tools/pod_template_order.
"""

from __future__ import annotations

ALWAYS, EMPTY = 0, 1

CANARY_STEP: dict[str, list[tuple[str, str, int]]] = {
    "CanaryStep": [
        ("setWeight", "*int", EMPTY),
        ("pause", "*Pause", EMPTY),
        ("experiment", "*Experiment", EMPTY),
        ("analysis", "*Analysis", EMPTY),
        ("setCanaryScale", "*SetCanaryScale", EMPTY),
        ("setHeaderRoute", "*SetHeaderRoute", EMPTY),
        ("setMirrorRoute", "*SetMirrorRoute", EMPTY),
        ("plugin", "*Plugin", EMPTY),
    ],
    "Pause": [("duration", "*intstr", EMPTY)],
    "SetCanaryScale": [("weight", "*int", EMPTY), ("replicas", "*int", EMPTY), ("matchTrafficWeight", "bool", EMPTY)],
    "SetHeaderRoute": [("name", "string", EMPTY), ("match", "[]HeaderMatch", EMPTY)],
    "HeaderMatch": [("headerName", "string", ALWAYS), ("headerValue", "*StringMatch", ALWAYS)],
    "StringMatch": [("exact", "string", EMPTY), ("prefix", "string", EMPTY), ("regex", "string", EMPTY)],
    "SetMirrorRoute": [("name", "string", ALWAYS), ("match", "[]RouteMatch", EMPTY), ("percentage", "*int", EMPTY)],
    "RouteMatch": [
        ("method", "*StringMatch", EMPTY),
        ("path", "*StringMatch", EMPTY),
        ("headers", "{}StringMatch", EMPTY),
    ],
    "Plugin": [("name", "string", ALWAYS), ("config", "raw", EMPTY)],
    "Analysis": [
        ("templates", "[]TemplateRef", EMPTY),
        ("args", "[]Argument", EMPTY),
        ("dryRun", "[]DryRun", EMPTY),
        ("measurementRetention", "[]MeasurementRetention", EMPTY),
        ("analysisRunMetadata", "*Metadata", EMPTY),
    ],
    "TemplateRef": [("templateName", "string", ALWAYS), ("clusterScope", "bool", EMPTY)],
    "Argument": [("name", "string", ALWAYS), ("value", "string", EMPTY), ("valueFrom", "*ValueFrom", EMPTY)],
    "ValueFrom": [("podTemplateHashValue", "*string", EMPTY), ("fieldRef", "*FieldRef", EMPTY)],
    "FieldRef": [("fieldPath", "string", ALWAYS)],
    "DryRun": [("metricName", "string", ALWAYS)],
    "MeasurementRetention": [("metricName", "string", ALWAYS), ("limit", "int", ALWAYS)],
    "Metadata": [("labels", "{}string", EMPTY), ("annotations", "{}string", EMPTY)],
    "Experiment": [
        ("templates", "[]ExperimentTemplate", ALWAYS),
        ("duration", "string", EMPTY),
        ("analyses", "[]ExperimentAnalysis", EMPTY),
        ("dryRun", "[]DryRun", EMPTY),
        ("analysisRunMetadata", "Metadata", EMPTY),
        ("scaleDownDelaySeconds", "*int", EMPTY),
    ],
    "ExperimentTemplate": [
        ("name", "string", ALWAYS),
        ("specRef", "string", ALWAYS),
        ("replicas", "*int", EMPTY),
        ("metadata", "Metadata", EMPTY),
        ("selector", "*Selector", EMPTY),
        ("weight", "*int", EMPTY),
        ("service", "*TemplateService", EMPTY),
    ],
    "TemplateService": [("name", "string", EMPTY)],
    "Selector": [("matchLabels", "{}string", EMPTY), ("matchExpressions", "[]Requirement", EMPTY)],
    "Requirement": [("key", "string", ALWAYS), ("operator", "string", ALWAYS), ("values", "[]string", EMPTY)],
    "ExperimentAnalysis": [
        ("name", "string", ALWAYS),
        ("templateName", "string", ALWAYS),
        ("clusterScope", "bool", EMPTY),
        ("args", "[]Argument", EMPTY),
        ("requiredForCompletion", "bool", EMPTY),
    ],
}
