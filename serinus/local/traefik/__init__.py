"""The gateway: Traefik, its configuration, and the kinds that it reads."""
