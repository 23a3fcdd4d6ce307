"""Notifications in a running controller."""
