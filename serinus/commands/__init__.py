"""Decisions of commands, shared by the command line and the dashboard: from an object to the patches that change it. Pure."""
