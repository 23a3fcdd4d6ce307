"""The installation of Serinus on a cluster."""
