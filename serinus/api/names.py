"""Labels, annotations and reasons that other programs read: their spelling is part of the interface."""

HASH = "rollouts-pod-template-hash"
"""Label of a ReplicaSet, its pods and of Service selectors: the revision."""

MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"
INSTANCE_ID = "argo-rollouts.argoproj.io/controller-instance-id"
REVISION = "rollout.argoproj.io/revision"
REVISION_HISTORY = "rollout.argoproj.io/revision-history"
DESIRED_REPLICAS = "rollout.argoproj.io/desired-replicas"
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
EPHEMERAL_METADATA = "rollout.argoproj.io/ephemeral-metadata"
TEMPLATE_METADATA = "serinus.dev/template-metadata"
"""Annotation of a ReplicaSet: the template's own values of replaced metadata keys (api/pods/template_metadata.py)."""
TEMPLATE_HASH = "serinus.dev/template-hash"
"""Annotation of a ReplicaSet: the hash of an equivalent template, other than the one at creation."""
UNPROMOTED = "serinus.dev/unpromoted"
"""Annotation of a ReplicaSet that was replaced before it became stable: its trial was not completed."""
EXPERIMENT_NAME = "experiment.argoproj.io/name"
EXPERIMENT_TEMPLATE = "experiment.argoproj.io/template-name"
SCALE_DOWN_DEADLINE = "scale-down-deadline"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOTIFIED = "notified.notifications.argoproj.io"

CONTROLLER_LEASE = "argo-rollouts-controller-lock"
"""The Lease of the leading controller; with an instance id, `-ID` follows. Argo Rollouts uses the same name, so the two
never act on the same Rollouts at once."""

ISTIO_GROUP = "networking.istio.io"
"""API group of Istio's VirtualServices and DestinationRules."""
PRIMARY_CLUSTER = "istio.argoproj.io/primary-cluster"
"""Label (`true`) of the Secret with the kubeconfig of the cluster that has Istio's objects."""

CANARY_PAUSE = "CanaryPauseStep"
BLUE_GREEN_PAUSE = "BlueGreenPause"
INCONCLUSIVE_ANALYSIS = "InconclusiveAnalysisRun"
INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"

NOTIFICATION_CONFIG_MAP = "argo-rollouts-notification-configmap"
NOTIFICATION_SECRET = "argo-rollouts-notification-secret"
"""The ConfigMap of notifications, and the Secret with the values that it refers to."""

NOTIFICATION_NAMESPACES = "notifications.serinus.dev/namespaces"
"""Annotation of a controller's Lease: the namespaces whose configurations of notifications it reads."""
ALL_NAMESPACES, OWN_NAMESPACE = "all", "own"

NOTIFICATION_PENDING = "notifications.serinus.dev/pending"
"""Annotation of a Rollout: the messages that a receiver has not accepted yet."""

NOTIFICATION_THREADS = "notifications.serinus.dev/threads"
"""Annotation of a Rollout: the first message of each Slack thread."""
