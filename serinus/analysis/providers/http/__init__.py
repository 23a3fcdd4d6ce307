"""Requests of providers over HTTP: the client, its limits, authentication, and the decoding of answers."""
