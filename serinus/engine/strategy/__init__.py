"""The order of a pass for each strategy, and the sizes and weights that it wants."""
