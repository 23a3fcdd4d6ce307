"""Metric providers: one file for each, which registry.py finds. All network access of analyses is here."""
