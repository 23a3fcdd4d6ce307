"""One machine without a cluster: embedded API server, workload controllers, node, gateway."""
