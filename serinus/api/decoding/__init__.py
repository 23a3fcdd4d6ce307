"""External JSON: its depth, its types, and merge patches of it."""
