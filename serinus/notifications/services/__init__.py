"""One file for each type of service."""
