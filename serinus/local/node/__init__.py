"""The node of one machine: runs pods, as local processes or through docker or podman."""
