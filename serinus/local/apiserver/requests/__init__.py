"""Requests: paths, parameters, formats of bodies, and admission of objects."""
