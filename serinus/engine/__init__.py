"""The pure planner: Snapshot to Plan, without I/O, clock or randomness."""
