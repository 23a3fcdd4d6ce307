"""One file for each kind of canary step. `serinus/engine/core/step_kinds.py` finds them."""
