"""A plan in words, for clients that have the same objects."""
