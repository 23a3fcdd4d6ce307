"""The pure planner: a Snapshot goes in, a Plan comes out. No I/O, no clock, no randomness."""
