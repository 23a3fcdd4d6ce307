"""Containers: their runtimes, processes, limits and addresses."""
