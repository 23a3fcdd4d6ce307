"""The controllers of a cluster's controller manager: Deployments, ReplicaSets, Jobs, endpoints, garbage, namespaces.

They are ordinary API clients and work the same with the embedded API server and with a cluster's.
"""
