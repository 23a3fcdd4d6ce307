"""Shared by all stages of a pass: the context that they read, the plan that they build, and the reasons for waiting."""
