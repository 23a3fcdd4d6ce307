"""Tables: the columns of `kubectl get`."""
