"""The order of a pass for each strategy, and its desired sizes and weights."""
