"""The connection of a command to an API server: session, changes and watches."""
