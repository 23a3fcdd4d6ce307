"""Typed objects of the Kubernetes API, their defaults, validation and identity. Imports no other package of Serinus."""
