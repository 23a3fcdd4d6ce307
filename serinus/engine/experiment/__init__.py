"""The plan of an Experiment."""
