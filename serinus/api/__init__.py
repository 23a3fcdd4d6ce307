"""Typed objects of the Kubernetes API, their defaults, validation and identity. Imports nothing of ours."""
