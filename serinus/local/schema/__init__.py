"""Schemas of the embedded API server: fields, defaults, rules, patches and field ownership. Pure; no I/O."""
