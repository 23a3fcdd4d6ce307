"""The address and the credentials of an API server: kubeconfig files, flags, service accounts."""
