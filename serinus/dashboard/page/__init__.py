"""The data of the sections of a Rollout's page, one module for each."""
