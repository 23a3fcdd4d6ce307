"""The verbs of the API, and the endpoints that describe it."""
