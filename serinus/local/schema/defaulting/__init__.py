"""Defaults that a Kubernetes API server sets."""
