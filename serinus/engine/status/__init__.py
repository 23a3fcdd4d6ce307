"""The status of a Rollout: conditions, phase, duration, promotion and abort."""
