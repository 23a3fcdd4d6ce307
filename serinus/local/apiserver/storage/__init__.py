"""The object store: in memory, or in a SQLite file."""
