"""Revisions and ReplicaSets: identity, metadata, restarts, Services that select them."""
