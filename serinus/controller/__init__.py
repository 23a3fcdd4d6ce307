"""Watches Rollouts, asks the engine for a plan and carries it out."""
