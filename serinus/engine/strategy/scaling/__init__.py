"""Sizes of ReplicaSets: those of a step, the next ones on the way there, and those of a held update."""
