"""What the embedded API server knows about kinds: fields, defaults, rules, patches and ownership. Pure; no I/O."""
