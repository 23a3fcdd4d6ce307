"""Validation of a Rollout's spec."""
