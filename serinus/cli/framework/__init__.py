"""Command lines, help, completion, and the output to a terminal."""
