"""The embedded Kubernetes API server: the wire protocol as values, objects in a store, watches over a bounded history."""
