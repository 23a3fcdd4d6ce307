"""The input of the verdict commands."""
