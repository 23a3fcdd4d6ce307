"""HTTP connections to an API server, and the listener of Serinus' own servers."""
