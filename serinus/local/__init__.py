"""Runs without a cluster on one machine: embedded API server, workload controllers, node, gateway."""
