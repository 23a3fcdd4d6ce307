"""Analyses, experiments and plugins that judge an update."""
