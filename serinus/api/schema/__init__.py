"""Schemas: the CustomResourceDefinitions, the built-in kinds, and the steps of a canary."""
