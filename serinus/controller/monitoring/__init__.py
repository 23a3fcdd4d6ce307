"""Metrics and health endpoints of the controller."""
