"""The dashboard for a team, in a cluster: the ways in, the sessions, and the audit."""
