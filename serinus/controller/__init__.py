"""Watches Rollouts, calls the engine for a plan and executes the plan."""
