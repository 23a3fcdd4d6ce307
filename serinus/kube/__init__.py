"""Client of the Kubernetes API: configuration, transports, watches, patches, leader lease."""
