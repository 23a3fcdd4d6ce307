"""What a cluster's controller manager does: Deployments, ReplicaSets, Jobs, endpoints, garbage, namespaces.

Ordinary clients of the API: they work the same against the embedded API server and against a cluster's.
"""
