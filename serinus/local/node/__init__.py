"""The node of one machine: runs pods as local processes, or with docker or podman."""
