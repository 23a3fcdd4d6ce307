"""Verdicts on measurements, and the providers that measure."""
