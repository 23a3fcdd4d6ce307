"""Pod templates and pods: defaults, validation, the hash of a template, status and failures."""
